import { TwonodeError } from '../core/errors.ts'
import { LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS } from '../pair/pause.ts'
import { parseDuration } from '../plan/units.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { chooseHosts, filesOf } from './compile_sites.ts'
import { worstExit } from './exit_code.ts'
import { askHosts, messageIn } from './host_words.ts'
import { createPaint, printable, wantsColour } from './paint.ts'
import { createReport } from './report.ts'
import { readRunFlags } from './run_flags.ts'
import { troubleText } from './trouble_text.ts'
import type { World } from './world.ts'

/** `twonode pause`: nobody takes over by itself for a while, on both hosts. */
export const pause: CommandRun = async (invocation, world) => {
  const text = textOption(invocation, 'for')
  if (text !== undefined) refuseUnfit(text)
  return await tellAll(['pause', ...(text === undefined ? [] : ['--for', text])], invocation, world)
}

/** What a host would refuse is refused before one is asked. */
function refuseUnfit(text: string): void {
  const forMs = parseDuration(text)
  if (forMs === undefined)
    throw new TwonodeError('E_USAGE', `--for ${text} is no duration`, {
      hint: 'Write a number and a unit: 30m, 2h.',
    })
  if (forMs < SHORTEST_PAUSE_MS || forMs > LONGEST_PAUSE_MS)
    throw new TwonodeError('E_USAGE', `--for ${text}: a pause lasts for 1s to 24h`, {
      hint: 'Asked again it begins anew: pause again before it ends.',
    })
}

/** `twonode resume`: the end of it. */
export const resume: CommandRun = async (invocation, world) =>
  await tellAll(['resume'], invocation, world)

/** Each host is told, and its answer is a line. */
async function tellAll(words: readonly string[], invocation: Invocation, world: World) {
  const flags = readRunFlags(invocation)
  const asJson = flagOption(invocation, 'json')
  const { stdout, stderr, env, cwd } = world
  const report = await createReport({ ...world, stdout: stderr }, { ...flags, json: false })
  const paint = createPaint(wantsColour(env, stderr.isTerminal))
  const names = chooseHosts(flags, filesOf(world)).flatMap(({ participants }) =>
    participants.map(({ name }) => name),
  )
  try {
    const emit = (event: Parameters<typeof report.emit>[0]) => report.emit(event)
    const { hosts, exitCode } = await askHosts({ words, emit }, flags, world)
    const exits = names.map((host) => {
      const answer = hosts.get(host)
      const { refusal, lines = [] } = answer ?? {}
      if (refusal !== undefined)
        stderr.write(`${host}  ${troubleText(refusal.toTrouble(), paint, cwd)}`)
      for (const line of lines)
        stdout.write(
          asJson
            ? `${JSON.stringify({ host, ...line })}\n`
            : `${host}  ${printable(messageIn(line))}\n`,
        )
      return refusal?.exitCode ?? 0
    })
    return worstExit([exitCode, ...exits])
  } finally {
    report.end()
  }
}
