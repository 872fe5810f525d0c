import { type Change, describeChange, type Outcome } from '../core/change.ts'
import type { ChangeReport } from '../core/events.ts'
import { TwonodeError } from '../core/errors.ts'
import type { Verdict } from '../core/module.ts'
import type { PlanStep } from '../core/plan.ts'
import { apply, type Bounds } from './apply.ts'
import { diffOf } from './diff_text.ts'
import { evaluateWith, look, lookUntil, type Seen, type View } from './look.ts'
import type { Names, Registered, Run } from './ports.ts'
import { registeredOf, SKIPPED } from './registers.ts'
import { reportOf } from './step_event.ts'
import type { WalkState } from './walk_state.ts'

/** One item of one step, about to be tried. */
export interface Task {
  readonly run: Run
  readonly state: WalkState
  readonly step: PlanStep
  readonly play: string
  readonly names: Names
  readonly bounds: Bounds
  /** Told what is being done, for people who wait. */
  readonly says: (what: string) => void
  /** Changes applied so far, of earlier tries too. */
  readonly applied: ChangeReport[]
}

export interface Attempted {
  readonly status: 'ok' | 'changed' | 'skipped' | 'unknown'
  readonly reason?: string
  readonly notes: readonly string[]
  readonly result: Registered
}

/** Looks, and makes the changes that it takes. Throws what it fails with. */
export async function attempt(task: Task, early: View | undefined): Promise<Attempted> {
  const { run, step, names } = task
  task.says('observing')
  const view = early ?? (await lookUntil(run, step, names))
  switch (view.kind) {
    case 'skipped':
      return { status: 'skipped', reason: view.reason, notes: [], result: SKIPPED }
    case 'unknown':
      throw new TwonodeError('E_FAILED', `${run.host.name}: ${view.reason}, and that did not come`)
    case 'failed':
      throw view.error
    case 'seen':
      return view.changes.length === 0 ? unchanged(view, undefined) : await makeChanges(task, view)
    default:
      throw new Error(`unhandled view: ${(view satisfies never as View).kind}`)
  }
}

function unchanged(view: Seen, outcome: Outcome): Attempted {
  const result = registeredOf(view.module, view, { changed: false, skipped: false, outcome })
  return { status: 'ok', notes: view.notes, result }
}

async function makeChanges(task: Task, view: Seen): Promise<Attempted> {
  const { run, state, step, play } = task
  // Owed before the first change: a cut right after it must not lose the handler.
  const appliedBefore = task.applied.length
  const owedNow = run.journal.owe(step.notify, play)
  let outcome: Outcome
  for (const change of view.changes) outcome = (await makeChange(task, change)) ?? outcome
  const verdict = verdictOf(task, view, outcome)
  if (!verdict.changed) {
    task.applied.splice(appliedBefore)
    run.journal.settle(owedNow)
    return unchanged(view, outcome)
  }
  state.changedInPlay = true
  state.changedAtAll = true
  const after = view.module.settles?.(view.args) === false ? view : await settled(task)
  const result = registeredOf(after.module, after, { changed: true, skipped: false, outcome })
  const notes = verdict.note === undefined ? after.notes : [...after.notes, verdict.note]
  return { status: 'changed', notes, result }
}

async function makeChange(task: Task, change: Change): Promise<Outcome> {
  const { run, state, step, bounds } = task
  bounds.stop.throwIfAborted()
  if (bounds.clock.now() >= bounds.deadline) throw outOfTime(step)
  task.says(describeChange(change))
  run.journal.intend(step.id, change)
  state.forgetViews()
  const make = async () => await apply(run.host, change, bounds)
  const outcome = mayBeGivenUp(change) ? await withoutLock(run, make) : await make()
  run.journal.done(step.id)
  task.applied.push(reportOf(run, change))
  return outcome
}

function mayBeGivenUp(change: Change): boolean {
  return change.kind === 'await' && change.otherwise !== undefined
}

/** As at a barrier: what only waits stands in nobody's way, and is ended by nobody who needs the host. */
async function withoutLock<T>({ lock, control }: Run, wait: () => Promise<T>): Promise<T> {
  await lock.release()
  const waited = await wait()
  await lock.take(control.stop, { again: true })
  return waited
}

/** What a module says of its command's words; without its word a change is a change. */
function verdictOf(
  { run, step, names }: Task,
  { module, args, changes }: Seen,
  outcome: Outcome,
): Verdict {
  if (outcome === undefined || module.verdict === undefined) return { changed: true }
  const verdict = module.verdict(outcome, args, evaluateWith(run, step, names))
  const { failed } = verdict
  if (failed === undefined) return verdict
  const detail = [outcome.stderr, outcome.stdout].find((text) => text.trim() !== '')?.trim()
  const more = detail === undefined ? {} : { detail }
  const command = changes.flatMap((change) => (change.kind === 'exec' ? [change] : [])).at(-1)
  const what = command === undefined ? '' : `${command.argv.join(' ')}: `
  throw new TwonodeError('E_COMMAND_FAILED', `${run.host.name}: ${what}${failed}`, more)
}

/** The second look, after the changes: what is left to do now will never be done. */
async function settled(task: Task): Promise<Seen> {
  const { run, step, names } = task
  task.says('observing again')
  const view = await look(run, step, names)
  if (view.kind === 'failed') throw view.error
  if (view.kind !== 'seen')
    throw new TwonodeError('E_NOT_CONVERGED', `${run.host.name}: ${view.reason}`)
  if (view.changes.length === 0) return view
  const left = view.changes.map(describeChange)
  throw new TwonodeError(
    'E_NOT_CONVERGED',
    `${run.host.name}: after the change it would still take: ${left.join('; ')}`,
    run.options.diff ? { detail: view.changes.map(inFull).join('\n') } : {},
  )
}

function inFull(change: Change): string {
  return diffOf(change) ?? describeChange(change)
}

/** The step's time is over. */
export function outOfTime({ timeoutMs }: PlanStep): TwonodeError {
  return new TwonodeError('E_FAILED', `not done within its ${timeoutMs / 1000} s`)
}
