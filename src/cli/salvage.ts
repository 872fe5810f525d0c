import { TwonodeError } from '../core/errors.ts'
import { didYouMean } from '../plan/nearest.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { type ChosenSite, chooseHosts, filesOf } from './compile_sites.ts'
import { worstExit } from './exit_code.ts'
import { askHosts, type HostWords } from './host_words.ts'
import { createPaint, printable, wantsColour } from './paint.ts'
import { createReport } from './report.ts'
import { readRunFlags } from './run_flags.ts'
import { troubleText } from './trouble_text.ts'
import type { World } from './world.ts'

/** What only looks; what changes the cluster, or throws something away, is done where the branch is. */
const LOOKS: readonly string[] = ['list', 'show', 'diff']

/** A branch, or a folder of it, as `salvage list` names them. */
const BRANCH = /^\d+(_\d+)?$/

/** `twonode salvage`: what losing branches had, by each host's own command. */
export const salvage: CommandRun = async (invocation, world) => {
  const host = textOption(invocation, 'host')
  const words = ['salvage', ...wordsOf(invocation, host)]
  const all = readRunFlags(invocation)
  const flags = { ...all, limit: host === undefined ? [] : [host] }
  if (host !== undefined) refuseUnknown(host, chooseHosts(all, filesOf(world)))
  const names = chooseHosts(flags, filesOf(world)).flatMap(({ participants }) =>
    participants.map(({ name }) => name),
  )
  const report = await createReport({ ...world, stdout: world.stderr }, { ...flags, json: false })
  try {
    const emit = (event: Parameters<typeof report.emit>[0]) => report.emit(event)
    const { hosts, exitCode } = await askHosts({ words, emit }, flags, world)
    const asJson = flagOption(invocation, 'json')
    const exits = names.map((name) => told(name, hosts.get(name), { asJson, world }))
    return worstExit([exitCode, ...exits])
  } finally {
    report.end()
  }
}

/** As `--limit` is judged elsewhere, in the word that was typed. */
function refuseUnknown(host: string, sites: readonly ChosenSite[]): void {
  const known = sites.flatMap(({ participants }) => participants.map(({ name }) => name))
  if (known.includes(host)) return
  throw new TwonodeError('E_USAGE', `--host: there is no host ${host}`, {
    hint: didYouMean(host, known),
  })
}

function wordsOf({ arguments: given }: Invocation, host: string | undefined): readonly string[] {
  const [action = 'list', branch] = given
  if (!LOOKS.includes(action))
    throw new TwonodeError('E_USAGE', `salvage ${action} is not done from a laptop`, {
      hint: `Here it is ${LOOKS.join(', ')}; on the host itself \`twonode salvage ${action}\`.`,
    })
  if (action === 'list') {
    if (branch === undefined) return ['list']
    throw new TwonodeError('E_USAGE', 'salvage list takes no branch')
  }
  if (branch === undefined || !BRANCH.test(branch))
    throw new TwonodeError('E_USAGE', `salvage ${action} takes one branch`, {
      hint: '`twonode salvage list -i INVENTORY` names them.',
    })
  if (host === undefined)
    throw new TwonodeError('E_USAGE', `salvage ${action} is asked of one host`, {
      hint: 'Name it with --host: who lost a branch has what was saved of it.',
    })
  return [action, branch]
}

/** One host's answer; gives the exit that it makes. */
function told(
  host: string,
  answer: HostWords | undefined,
  { asJson, world }: { readonly asJson: boolean; readonly world: World },
) {
  const { refusal, lines = [], cut = false } = answer ?? {}
  const { stdout, stderr, env, cwd } = world
  const tell = (trouble: TwonodeError) => {
    const paint = createPaint(wantsColour(env, stderr.isTerminal))
    stderr.write(`${host}  ${troubleText(trouble.toTrouble(), paint, cwd)}`)
    return trouble.exitCode
  }
  for (const { text, ...data } of lines) {
    const words = typeof text === 'string' ? text.split('\n') : []
    if (asJson) stdout.write(`${JSON.stringify({ host, ...data })}\n`)
    else for (const line of words) stdout.write(`${host}  ${printable(line)}\n`)
  }
  if (refusal !== undefined) return tell(refusal)
  if (!cut) return 0
  const more = new TwonodeError('E_FAILED', 'there is more than is brought to a laptop', {
    hint: 'The same command on the host shows all of it.',
  })
  return tell(more)
}
