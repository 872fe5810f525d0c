import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { JsonObject } from '../core/json.ts'
import { flagOption, type Invocation, textOption } from './command.ts'
import { type ChosenSite, chooseHosts, filesOf } from './compile_sites.ts'
import { worstExit } from './exit_code.ts'
import { askHosts, type HostWordsOf, messageIn } from './host_words.ts'
import { createPaint, printable, wantsColour } from './paint.ts'
import { createReport } from './report.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { troubleText } from './trouble_text.ts'
import { differingWitnesses } from './witness_readings.ts'
import type { World } from './world.ts'

/** A swap between the looks of two hosts is over by then. @unit milliseconds */
const LOOK_AGAIN_MS = 1_000

/** `twonode witness show`: what each host reads at its witness, and whether that is one. */
export async function showWitness(invocation: Invocation, world: World): Promise<ExitCode> {
  if (textOption(invocation, 'inventory') === undefined)
    throw new TwonodeError('E_USAGE', 'twonode witness show needs --inventory')
  const flags = readRunFlags(invocation)
  const asJson = flagOption(invocation, 'json')
  const sites = chooseHosts(flags, filesOf(world))
  const { stdout, stderr, env, cwd } = world
  const report = await createReport({ ...world, stdout: stderr }, { ...flags, json: false })
  const paint = createPaint(wantsColour(env, stderr.isTerminal))
  const fail = (host: string, trouble: Parameters<typeof troubleText>[0]) => {
    stderr.write(`${host}${troubleText(trouble, paint, cwd)}`)
    return trouble.exitCode
  }
  try {
    const emit = (event: Event) => report.emit(event)
    const { said, wrong } = await readings(sites, { flags, emit }, world)
    const exits: ExitCode[] = [said.exitCode, ...wrong.map((one) => fail('', one.toTrouble()))]
    for (const [host, { lines, refusal }] of said.hosts) {
      if (refusal !== undefined) exits.push(fail(`${host}  `, refusal.toTrouble()))
      for (const line of lines) stdout.write(asJson ? jsonOf(host, line) : textOf(host, line))
      if (lines.some(({ says }) => says !== 'claim')) exits.push(EXIT.failed)
    }
    return worstExit(exits)
  } finally {
    report.end()
  }
}

function jsonOf(host: string, line: JsonObject): string {
  return `${JSON.stringify({ host, ...line })}\n`
}

function textOf(host: string, line: JsonObject): string {
  const texts = printable(messageIn(line)).split('\n')
  return texts.map((text) => `${host}  ${text}\n`).join('')
}

/** Asks once more where two hosts differ: the claim may have been swapped between the two looks. */
async function readings(
  sites: readonly ChosenSite[],
  { flags, emit }: { readonly flags: RunFlags; readonly emit: (event: Event) => void },
  world: World,
) {
  const words = ['witness', 'show']
  const first = await askHosts({ words, emit }, flags, world)
  if (differing(sites, first).length === 0) return { said: first, wrong: [] }
  await setTimeout(LOOK_AGAIN_MS)
  const said = await askHosts({ words, emit }, flags, world)
  return { said, wrong: differing(sites, said) }
}

function differing(sites: readonly ChosenSite[], { hosts }: HostWordsOf) {
  return sites.flatMap(({ participants }) => {
    const read = participants.flatMap(({ name }): (readonly [string, JsonObject])[] => {
      const [line] = hosts.get(name)?.lines ?? []
      return line === undefined ? [] : [[name, line]]
    })
    const found = differingWitnesses(new Map(read))
    return found === undefined ? [] : [found]
  })
}

/** What a second look says of one site whose hosts differed at the first. */
export async function stillDiffering(site: string, flags: RunFlags, world: World) {
  await setTimeout(LOOK_AGAIN_MS)
  const one = { ...flags, sites: [site], tags: [] }
  const sites = chooseHosts(one, filesOf(world))
  const said = await askHosts({ words: ['witness', 'show'], emit: () => {} }, one, world)
  return differing(sites, said)[0]
}
