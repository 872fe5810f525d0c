import { mergeAccounts } from '../core/accounts.ts'
import { TwonodeError } from '../core/errors.ts'
import type { StepEvent } from '../core/events.ts'
import { isObject, parseJson } from '../core/json.ts'
import { type CommandRun, flagOption, textOption } from './command.ts'
import { compileSites, type ReadySite } from './compile_sites.ts'
import { look, type Seen } from './look.ts'
import { printable } from './paint.ts'
import { readRunFlags } from './run_flags.ts'
import { guardedWorld } from './run_sites.ts'
import { lookedExit } from './status.ts'

/** Lines of each host where the command line names no other number. */
const LINES = 100

/** What a step may register of an output bounds this; a line takes some hundred characters. */
const MOST_LINES = 300

/** A line of an agent's account. */
interface Line {
  readonly at: string
  readonly host: string
  readonly text: string
  readonly [field: string]: unknown
}

/** `twonode timeline`: what the agents of a pair decided and changed, in one account. */
export const timeline: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const lines = lineCount(textOption(invocation, 'lines'))
  const sites = await compileSites(
    { kind: 'text', text: playbook(lines), name: 'timeline' },
    flags,
    world,
  )
  const guarded = guardedWorld(world, sites)
  const seen = await look(sites, flags, guarded)
  for (const site of sites) {
    const account = merged(site, seen)
    if (flagOption(invocation, 'json'))
      for (const line of account)
        guarded.stdout.write(`${JSON.stringify({ site: site.inventory.site.name, ...line })}\n`)
    else guarded.stdout.write(account.map(({ text }) => `${printable(text)}\n`).join(''))
  }
  return lookedExit(sites, seen)
}

function lineCount(text: string | undefined): number {
  const count = Number(text ?? LINES)
  if (Number.isSafeInteger(count) && count > 0 && count <= MOST_LINES) return count
  throw new TwonodeError('E_USAGE', `--lines takes a whole number from 1 to ${MOST_LINES}`)
}

/** Each host is asked for its own account: one that can't be reached takes nothing from the other's. */
function playbook(lines: number): string {
  return `- name: The agents' accounts
  hosts: all
  tasks:
    - name: What the agent decided
      assert:
        command: [/usr/local/bin/twonode, timeline, --own, --json, --lines, '${lines}']
        that: [code == 0]
`
}

function merged({ participants }: ReadySite, { steps }: Seen): readonly Line[] {
  return mergeAccounts(participants.map(({ name }) => (steps.get(name) ?? []).flatMap(linesOf)))
}

function linesOf({ result }: StepEvent): Line[] {
  const stdout = result?.['stdout']
  if (typeof stdout !== 'string') return []
  return stdout.split('\n').flatMap((line) => {
    // The last line may have been cut with the rest of a long output.
    const parsed = parseJson(line)
    if (!isObject(parsed)) return []
    const { at, host, text: words } = parsed
    const isLine = [at, host, words].every((field) => typeof field === 'string')
    return isLine ? [{ ...parsed, at: String(at), host: String(host), text: String(words) }] : []
  })
}
