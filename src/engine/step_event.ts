import { type Change, describeChange } from '../core/change.ts'
import type { ChangeReport, StepEvent } from '../core/events.ts'
import type { Json } from '../core/json.ts'
import type { PlanStep } from '../core/plan.ts'
import { diffOf } from './diff_text.ts'
import type { Registered, Run } from './ports.ts'

/** Where a step stands: which play, and whether it runs as a handler. */
export interface StepPlace {
  readonly step: PlanStep
  readonly play: string
  readonly handler?: 'notified' | 'left-over'
  readonly item?: unknown
}

/** What became of it. */
export type StepOutcome = Pick<
  StepEvent,
  'status' | 'changes' | 'reason' | 'notes' | 'trouble' | 'durationMs'
> & { readonly result?: Registered }

/** The event of one step or one item; fields with nothing to say are left out. */
export function stepEvent(
  run: Run,
  { step, play, handler, item }: StepPlace,
  outcome: StepOutcome,
): StepEvent {
  const { status, changes = [], notes = [], reason, trouble, result, durationMs } = outcome
  const reported = run.options.report === true && result !== undefined
  return {
    event: 'step',
    host: run.host.name,
    play,
    task: step.name,
    module: step.module,
    status,
    ...(handler === undefined ? {} : { handler }),
    ...(item === undefined ? {} : { item: printable(item) }),
    ...(changes.length === 0 ? {} : { changes }),
    ...(reason === undefined ? {} : { reason }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(reported ? { result } : {}),
    ...(reported && step.register !== undefined ? { register: step.register } : {}),
    ...(trouble === undefined ? {} : { trouble }),
    durationMs: Math.round(durationMs),
  }
}

/** A change for people, with its diff if the run shows diffs. */
export function reportOf(run: Run, change: Change): ChangeReport {
  const diff = run.options.diff ? diffOf(change) : undefined
  const summary = describeChange(change)
  return diff === undefined ? { summary } : { summary, diff }
}

/** Secrets in it become the mask. */
function printable(item: unknown): Json {
  return JSON.parse(
    JSON.stringify(item, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
  ) as Json
}
