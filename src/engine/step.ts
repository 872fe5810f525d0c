import type { ChangeReport, StepStatus } from '../core/events.ts'
import { type Trouble, TwonodeError } from '../core/errors.ts'
import type { PlanStep } from '../core/plan.ts'
import { attempt, type Attempted, outOfTime, type Task } from './attempt.ts'
import { needsPeer, peerReason } from './judge.ts'
import { untilHolds, type View } from './look.ts'
import type { Names, Registered, Run } from './ports.ts'
import { namesFor, registeredLoop, SKIPPED, unknownRead } from './registers.ts'
import { stepEvent, type StepPlace } from './step_event.ts'
import { isWorthRetrying, troubleAtTurn, troubleOf } from './step_trouble.ts'
import { type ItemView, unknownStep, withItem } from './view_step.ts'
import type { WalkState } from './walk_state.ts'

/** When people are first told that a step takes its time, and how often after. @unit milliseconds */
const FIRST_WORD_MS = 1_000
const NEXT_WORD_MS = 2_000

/** How a step ended; the walk goes on without trouble only. */
export interface StepDone {
  readonly trouble: Trouble | undefined
  /** One an item. */
  readonly statuses: readonly StepStatus[]
}

/** Runs one step and counts it. Throws nothing but an interrupt. */
export async function runStep(run: Run, state: WalkState, place: StepPlace): Promise<StepDone> {
  const done = await tryStep(run, state, place)
  state.tally.add(done.statuses)
  return done
}

/** Runs one step, item by item, and tells of each; whoever calls counts. */
export async function tryStep(run: Run, state: WalkState, place: StepPlace): Promise<StepDone> {
  const { step } = place
  const names = namesFor(run.names, state.registers)
  const { looped, items } = itemsOf(run, state, { step, names })
  const results: Registered[] = []
  const statuses: StepStatus[] = []
  let trouble: Trouble | undefined
  for (const { item, view } of items) {
    const at = looped ? { ...place, item } : place
    const own = looped ? { ...names, item } : names
    const done = await runItem(run, state, { at, names: own, early: view })
    statuses.push(done.status)
    if (done.result !== undefined) results.push(looped ? withItem(done.result, item) : done.result)
    ;({ trouble } = done)
    if (trouble !== undefined) break
  }
  if (step.register !== undefined) {
    const isUnknown = statuses.some((status) => status === 'unknown' || status === 'failed')
    const value = looped ? registeredLoop(results) : (results[0] ?? SKIPPED)
    const reason = `"${step.name}" could not be told`
    state.registers.set(
      step.register,
      isUnknown ? { kind: 'unknown', reason } : { kind: 'known', value },
    )
  }
  return { trouble, statuses }
}

/** The step's items, with the early view of each where it still holds. */
function itemsOf(
  run: Run,
  state: WalkState,
  { step, names }: { readonly step: PlanStep; readonly names: Names },
): { readonly looped: boolean; readonly items: readonly Partial<ItemView>[] } {
  const unknown = unknownRead(step, state.registers)
  if (unknown !== undefined) return unknownStep(unknown)
  const early = state.viewOf(step)
  if (early !== undefined) return early
  try {
    const items = run.evaluator.loop(step, names)
    if (items === undefined) return { looped: false, items: [{}] }
    return { looped: true, items: items.map((item) => ({ item })) }
  } catch (error) {
    return { looped: false, items: [{ view: { kind: 'failed', error } }] }
  }
}

interface ItemDone {
  readonly status: StepStatus
  readonly result: Registered | undefined
  readonly trouble: Trouble | undefined
}

interface Item {
  readonly at: StepPlace
  readonly names: Names
  readonly early: View | undefined
}

async function runItem(run: Run, state: WalkState, item: Item): Promise<ItemDone> {
  const { at, names } = item
  const { step } = at
  const begin = run.clock.now()
  const applied: ChangeReport[] = []
  const progress = startProgress(run, step)
  const emit = (outcome: Omit<Parameters<typeof stepEvent>[2], 'durationMs'>) =>
    run.emit(stepEvent(run, at, { ...outcome, durationMs: run.clock.now() - begin }))
  try {
    const stop = run.control.stop
    stop.throwIfAborted()
    const bounds = { clock: run.clock, deadline: begin + step.timeoutMs, stop }
    const { play } = at
    const task = { run, state, step, play, names, bounds, says: progress.says, applied }
    const { status, reason, notes, result } = await tryUntilDone(task, item.early)
    const why = reason === undefined ? {} : { reason }
    emit({ status, notes, result, changes: unique(applied), ...why })
    return { status, result, trouble: undefined }
  } catch (error) {
    const isStopped = run.control.stop.aborted
    // An interrupt before anything was done to a step is no failure of that step.
    if (isStopped && applied.length === 0 && error === run.control.stop.reason) throw error
    const trouble = troubleOf(error, step)
    if (!isStopped && needsPeer(run, step) && trouble.exitCode === 3) {
      emit({ status: 'unknown', reason: peerReason(trouble), changes: unique(applied) })
      return { status: 'unknown', result: undefined, trouble: undefined }
    }
    const told = troubleAtTurn(error, step)
    emit({ status: 'failed', trouble: told, changes: unique(applied) })
    return { status: 'failed', result: undefined, trouble: told }
  } finally {
    progress.end()
  }
}

/** Tries again while `until` does not hold, or a try failed, and retries are left. */
async function tryUntilDone(task: Task, early: View | undefined): Promise<Attempted> {
  const { run, step, bounds } = task
  if (early?.kind === 'unknown')
    return { status: 'unknown', reason: early.reason, notes: [], result: SKIPPED }
  for (let tries = 0; ; tries += 1) {
    const tried = await tryOnce(task, tries === 0 ? early : undefined)
    if (!('error' in tried)) return tried
    bounds.stop.throwIfAborted()
    if (tries >= step.retries || !isWorthRetrying(tried.error)) throw tried.error
    const leftMs = bounds.deadline - run.clock.now()
    if (leftMs <= 0) throw outOfTime(step)
    task.says(`try ${tries + 1} of ${step.retries + 1} failed, waiting`)
    await run.clock.sleep(Math.min(step.delayMs, leftMs), bounds.stop)
    bounds.stop.throwIfAborted()
  }
}

async function tryOnce(
  task: Task,
  early: View | undefined,
): Promise<Attempted | { readonly error: unknown }> {
  const { run, step, names, applied } = task
  try {
    const done = await attempt(task, early)
    if (done.status !== 'skipped' && !untilHolds(run, step, { result: done.result, names }))
      throw new TwonodeError('E_FAILED', `${run.host.name}: until ${step.until} does not hold`)
    // An earlier try may have made the change that this one found made.
    if (done.status !== 'ok' || applied.length === 0) return done
    return { ...done, status: 'changed', result: { ...done.result, changed: true } }
  } catch (error) {
    return { error }
  }
}

function unique(reports: readonly ChangeReport[]): readonly ChangeReport[] {
  return reports.filter(
    ({ summary }, index) => reports.findIndex((other) => other.summary === summary) === index,
  )
}

/** Tells people now and then what a long step is doing. */
function startProgress(
  run: Run,
  step: PlanStep,
): { readonly says: (what: string) => void; readonly end: () => void } {
  const begin = run.clock.now()
  let message = 'observing'
  let nextMs = FIRST_WORD_MS
  const end = run.clock.every(FIRST_WORD_MS, () => {
    const elapsedMs = Math.round(run.clock.now() - begin)
    if (elapsedMs < nextMs) return
    nextMs = elapsedMs + NEXT_WORD_MS
    run.emit({ event: 'progress', host: run.host.name, task: step.name, message, elapsedMs })
  })
  return { says: (what) => void (message = what), end }
}
