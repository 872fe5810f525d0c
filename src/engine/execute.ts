import { setMaxListeners } from 'node:events'
import { EXIT, type ExitCode, type Trouble, TwonodeError, toTrouble } from '../core/errors.ts'
import type { PlanPlay } from '../core/plan.ts'
import { recordApplied } from './applied_record.ts'
import type { Bounds } from './apply.ts'
import { forgetUnknownHandlers, runHandlers, runLeftOver } from './handlers.ts'
import type { LeftBehind, PendingHandler } from './journal.ts'
import { removeLeftovers } from './leftover_files.ts'
import { stepsOf, takesPart } from './plays.ts'
import type { Run } from './ports.ts'
import { runStep } from './step.ts'
import { AT_ONCE, type Survey, survey } from './survey.ts'
import { WalkState } from './walk_state.ts'

/** Bound of what a run does beside its steps. @unit milliseconds */
const HOUSEKEEPING_MS = 60_000

/**
 * One converge of one host: observe everything, hear what the other host has to do, walk the plays.
 * The lock is held when it is called (but in check mode), and the last event is the host's summary.
 * Whatever cuts it short, the next call finishes.
 */
export async function execute(run: Run): Promise<ExitCode> {
  // Every look listens for the interrupt; Node takes more than ten listeners for a leak.
  setMaxListeners(AT_ONCE * 2, run.control.stop)
  try {
    if (!run.options.check) forgetUnknownHandlers(run)
    const left = run.journal.leftBehind()
    if (!run.options.check) await cleanUp(run, left, { keepPartial: true })
    if (run.straight === true)
      return await walk(run, { views: new Map(), left, firstBarrier: Number.POSITIVE_INFINITY })
    const seen = await survey(run, left.handlers)
    const verdict = await run.control.observed(seen.observation)
    // A controller that ends here has told the events itself: they came along with the observation.
    if (verdict.kind === 'end') return await endUnchanged(run, seen, left)
    return await walk(run, { views: seen.views, left, firstBarrier: verdict.firstBarrier })
  } catch (error) {
    return giveUp(run, error)
  }
}

interface Walk {
  readonly views: Survey['views']
  readonly left: LeftBehind
  readonly firstBarrier: number
}

async function endUnchanged(run: Run, { exitCode }: Survey, left: LeftBehind): Promise<ExitCode> {
  if (run.options.check) return exitCode
  if (exitCode === EXIT.done) await cleanUp(run, left, { keepPartial: false })
  run.journal.end(exitCode)
  return exitCode
}

/** Nothing that can be told belongs to a step: an interrupt, a lost connection, a bug of ours. */
function giveUp(run: Run, error: unknown): ExitCode {
  const trouble = toTrouble(error)
  run.emit({ event: 'trouble', host: run.host.name, trouble })
  return summarize(run, undefined, trouble.exitCode)
}

async function walk(run: Run, { views, left, firstBarrier }: Walk): Promise<ExitCode> {
  const state = new WalkState(run, views)
  try {
    const trouble = await walkPlays(run, state, { left, firstBarrier })
    if (trouble === undefined) {
      // One in a hurry is an agent's: what it has made of this host is in hostMeta, and in its journal.
      if (state.changedAtAll && run.straight !== true) await recordApplied(run, bounds(run))
      await cleanUp(run, left, { keepPartial: false })
    }
    return summarize(run, state, trouble?.exitCode ?? EXIT.done)
  } catch (error) {
    const trouble = toTrouble(error)
    run.emit({ event: 'trouble', host: run.host.name, trouble })
    return summarize(run, state, trouble.exitCode)
  }
}

/** Play by play; ends with the trouble of the first step that fails. */
async function walkPlays(
  begun: Run,
  state: WalkState,
  { left, firstBarrier }: Omit<Walk, 'views'>,
): Promise<Trouble | undefined> {
  let run = begun
  let leftOver = left.handlers
  for (const play of run.plan.plays) {
    if (play.id >= firstBarrier) {
      const failed = await passBarrier(run, state, play)
      if (failed !== undefined) return stopped(run, play, failed)
      const names = await run.namesNow()
      if (names !== run.names) state.forgetViews()
      run = { ...run, names }
    }
    await runLeftOver(run, state, leftOver)
    leftOver = []
    if (!takesPart(run, play)) continue
    const trouble = await walkPlay(run, state, play)
    if (trouble !== undefined) return trouble
    const failed = run.control.peerFailed()
    if (failed !== undefined && play !== run.plan.plays.at(-1)) return stopped(run, play, failed)
  }
  // Owed by a play that this host has no part in any more: its role has changed since.
  return await runHandlers(run, state, {
    play: run.plan.plays.at(-1)?.name ?? '',
    isDue: () => true,
  })
}

/** Between plays the lock is free: whoever outranks us (the agent) may take the host. */
async function passBarrier(
  run: Run,
  state: WalkState,
  play: PlanPlay,
): Promise<string | undefined> {
  const { control, lock } = run
  const { changedInPlay: changed } = state
  await lock.release()
  const passage = await control.barrier({ play: play.id - 1, changed })
  if (passage.kind === 'peer-failed') return passage.reason
  // A second laptop may have it for as long as its play takes; it lets go at its next barrier.
  const { otherHeldIt } = await lock.take(control.stop, { again: true })
  if (passage.peerChanged || otherHeldIt) state.forgetViews()
  state.changedInPlay = false
  return undefined
}

async function walkPlay(run: Run, state: WalkState, play: PlanPlay): Promise<Trouble | undefined> {
  // Told at the next barrier; without barriers, as in an agent's run, the gate asks for this play alone.
  const before = state.changedInPlay
  state.changedInPlay = false
  try {
    return await walkSteps(run, state, play)
  } finally {
    state.changedInPlay ||= before
  }
}

async function walkSteps(run: Run, state: WalkState, play: PlanPlay): Promise<Trouble | undefined> {
  for (const step of stepsOf(run, play)) {
    const { trouble } = await runStep(run, state, { step, play: play.name })
    if (trouble !== undefined) return trouble
  }
  const isDue = (owed: PendingHandler) =>
    owed.runId === run.options.runId || owed.play === play.name
  const trouble = await runHandlers(run, state, { play: play.name, isDue })
  if (trouble !== undefined || !play.rolling || !state.changedInPlay) return trouble
  // The gate: what was changed here must work before the leader is touched.
  for (const step of play.gate) {
    const { trouble: refused } = await runStep(run, state, { step, play: play.name })
    if (refused !== undefined) return refused
  }
  return undefined
}

/** The peer can't go on: what comes next would build on what it has not done. */
function stopped(run: Run, { name }: PlanPlay, reason: string): Trouble {
  const trouble = toTrouble(new TwonodeError('E_FAILED', `stopped at play "${name}": ${reason}`))
  run.emit({ event: 'trouble', host: run.host.name, trouble })
  return trouble
}

function summarize(run: Run, state: WalkState | undefined, exitCode: ExitCode): ExitCode {
  const none = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }
  const counts = state?.tally.counts() ?? none
  // A check has no lock: it writes nothing.
  if (!run.options.check) run.journal.end(exitCode)
  run.emit({ event: 'host-summary', host: run.host.name, counts, exitCode })
  return exitCode
}

async function cleanUp(
  run: Run,
  { folders }: LeftBehind,
  { keepPartial }: { readonly keepPartial: boolean },
): Promise<void> {
  await removeLeftovers(run.host, folders, { bounds: bounds(run), keepPartial })
}

function bounds({ clock, control }: Run): Bounds {
  return { clock, deadline: clock.now() + HOUSEKEEPING_MS, stop: control.stop }
}
