import { type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { JsonObject } from '../core/json.ts'
import { type CommandRun, flagOption, textOption } from './command.ts'
import { type ChosenSite, chooseHosts, filesOf } from './compile_sites.ts'
import { messageIn } from './host_words.ts'
import { createPaint, printable, wantsColour } from './paint.ts'
import { createReport } from './report.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { switchOver } from './switchover_run.ts'
import { troubleText } from './trouble_text.ts'
import type { World } from './world.ts'

/** Where a long command's words go. */
export interface Teller {
  /** A line of the account: its message for people, all of it for `--json`. */
  readonly say: (line: JsonObject) => void
  readonly fail: (error: TwonodeError) => ExitCode
  readonly emit: (event: Event) => void
  readonly end: () => void
}

/** `twonode switchover`: the leader hands over by agreement; the plan before, the steps, the proof after. */
export const switchover: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const { site } = theSite(flags, world)
  const to = textOption(invocation, 'to')
  const names = site.hosts.map(({ name }) => name)
  if (to !== undefined && !names.includes(to))
    throw new TwonodeError('E_USAGE', `--to: there is no host ${to} in site ${site.site.name}`, {
      hint: `Its hosts are ${names.join(' and ')}.`,
    })
  const over = new AbortController()
  const dispose = world.onInterrupt(() => over.abort())
  const teller = await createTeller(flags, world)
  const wanted = {
    to,
    check: flags.check,
    thoughPaused: flagOption(invocation, 'thoughPaused'),
    over: over.signal,
  }
  try {
    return await switchOver(wanted, { flags: { ...flags, sites: [site.site.name] }, world, teller })
  } finally {
    dispose()
    teller.end()
  }
}

/** Roles of one pair change, not of a fleet. */
export function theSite(flags: RunFlags, world: World): ChosenSite {
  const [site, ...others] = chooseHosts(flags, filesOf(world))
  if (site !== undefined && others.length === 0) return site
  const names = [site, ...others].flatMap((one) => one?.site.site.name ?? [])
  throw new TwonodeError('E_USAGE', `the inventory has ${names.length} sites`, {
    hint: `Name one: --site ${names[0] ?? 'NAME'}.`,
  })
}

/** Lines on standard output; troubles, and what goes wrong on the way, on standard error. */
export async function createTeller(flags: RunFlags, world: World): Promise<Teller> {
  const { stdout, stderr, env, cwd } = world
  const report = await createReport({ ...world, stdout: stderr }, { ...flags, json: false })
  const paint = createPaint(wantsColour(env, stderr.isTerminal))
  return {
    say: (line) => {
      const text = printable(messageIn(line))
      stdout.write(`${flags.json ? JSON.stringify(line) : text}\n`)
    },
    fail: (error) => {
      const trouble = error.toTrouble()
      if (flags.json) stdout.write(`${JSON.stringify({ kind: 'trouble', ...trouble })}\n`)
      stderr.write(troubleText(trouble, paint, cwd))
      return error.exitCode
    },
    emit: (event) => report.emit(event),
    end: () => report.end(),
  }
}
