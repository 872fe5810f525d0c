import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Event, StepEvent, SummaryEvent } from '../core/events.ts'
import type { CommandRun } from './command.ts'
import { clockDifference } from './clock_difference.ts'
import { compileSites, playbookNamed } from './compile_sites.ts'
import { missingGateways } from './missing_gateways.ts'
import { createReport } from './report.ts'
import { readRunFlags } from './run_flags.ts'
import { standingJudge } from './standing_judge.ts'
import { guardedWorld, runSites } from './run_sites.ts'
import { WitnessReadings } from './witness_readings.ts'

/** `twonode verify`: the assertions of verify.yaml, and what only a third party can compare. */
export const verify: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const sites = await compileSites(playbookNamed(undefined, world, 'verify.yaml'), flags, world)
  const guarded = guardedWorld(world, sites)
  const report = await createReport(guarded, { ...flags, purpose: 'verify' })
  for (const message of missingGateways(sites))
    report.emit({ event: 'note', level: 'warning', message })
  const clocks = clockDifference(world.now)
  const standings = standingJudge(sites)
  const witnesses = new WitnessReadings()
  const waiting: SummaryEvent[] = []
  const wrong: TwonodeError[] = []
  const conclude = (event: SummaryEvent, more: TwonodeError | undefined) => {
    const judged = [standings.judge(event.site), clocks.judge(Object.keys(event.hosts)), more]
    const found = judged.filter((one) => one !== undefined)
    // Before the summary, which must stay a site's last line.
    for (const one of found) report.emit({ event: 'trouble', trouble: one.toTrouble() })
    wrong.push(...found)
    report.emit({ ...event, exitCode: verdict(event.exitCode, found) })
  }
  const emit = (event: Event) => {
    if (event.event === 'hello') clocks.heard(event)
    standings.heard(event)
    witnesses.heard(event)
    if (event.event !== 'summary')
      return report.emit(event.event === 'step' ? asFinding(event) : event)
    if (witnesses.differ(Object.keys(event.hosts))) waiting.push(event)
    else conclude(event, undefined)
  }
  const mode = { check: true, lookOnly: true, report: true, rehash: true }
  try {
    const exitCode = await runSites(sites, { flags, mode, emit }, guarded)
    for (const event of waiting) {
      const { stillDiffering } = await import('./witness_show.ts')
      conclude(event, await stillDiffering(event.site, flags, guarded))
    }
    return verdict(exitCode, wrong)
  } finally {
    report.end()
  }
}

/** A check that fails is a finding about the pair, wherever in our playbook it stands. */
function asFinding(event: StepEvent): StepEvent {
  if (event.trouble === undefined || event.trouble.exitCode !== EXIT.failed) return event
  const { message, detail } = event.trouble
  const unhealthy = new TwonodeError('E_UNHEALTHY', message, detail === undefined ? {} : { detail })
  return { ...event, trouble: unhealthy.toTrouble() }
}

/** A check that would have to wait, or can't be made, is not a healthy one. */
function verdict(exitCode: ExitCode, [found]: readonly TwonodeError[]): ExitCode {
  if (exitCode === EXIT.wouldChange) return EXIT.failed
  return exitCode === EXIT.done && found !== undefined ? found.exitCode : exitCode
}
