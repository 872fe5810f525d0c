import type { ChangeReport, StepStatus } from '../core/events.ts'
import { EXIT, type Trouble } from '../core/errors.ts'
import type { PlanStep } from '../core/plan.ts'
import type { View } from './look.ts'
import type { Registered, Run } from './ports.ts'
import { registeredOf, SKIPPED } from './registers.ts'
import { reportOf } from './step_event.ts'
import { troubleOf } from './step_trouble.ts'

/** A view in the light of what comes before it: the three states of a check, or a failure. */
export interface Judged {
  readonly status: StepStatus
  readonly changes?: readonly ChangeReport[]
  readonly reason?: string
  readonly notes?: readonly string[]
  readonly trouble?: Trouble
  readonly result?: Registered
}

/**
 * A look that fails is *unknown* while something before it is going to change, for that may mend it;
 * and a failure when nothing will. Nothing is ever predicted from changes that were not made.
 */
export function judge(
  run: Run,
  step: PlanStep,
  { view, before }: { readonly view: View; readonly before: readonly string[] },
): Judged {
  switch (view.kind) {
    case 'skipped':
      return { status: 'skipped', reason: view.reason, result: SKIPPED }
    case 'unknown':
      return { status: 'unknown', reason: view.reason }
    case 'seen': {
      const { changes, notes, module } = view
      if (changes.length > 0)
        return { status: 'would-change', changes: changes.map((c) => reportOf(run, c)), notes }
      const result = registeredOf(module, view, { changed: false, skipped: false })
      return { status: 'ok', notes, result }
    }
    case 'failed':
      return judgeFailure(run, step, { error: view.error, before })
    default:
      throw new Error(`unhandled view: ${(view satisfies never as View).kind}`)
  }
}

function judgeFailure(
  run: Run,
  step: PlanStep,
  { error, before }: { readonly error: unknown; readonly before: readonly string[] },
): Judged {
  const trouble = troubleOf(error, step)
  if (needsPeer(run, step)) return { status: 'unknown', reason: peerReason(trouble) }
  // Bad input and bugs are what they are, whatever else happens on the host.
  if (before.length === 0 || trouble.exitCode !== EXIT.failed) return { status: 'failed', trouble }
  return { status: 'unknown', reason: `${firstLine(trouble.message)}; ${namePending(before)}` }
}

/** Which of them will mend it nobody can tell: one is named, more are counted. */
function namePending(before: readonly string[]): string {
  const [only = '', ...more] = before
  if (more.length === 0) return `"${only}" comes before it`
  return `${before.length} tasks before it have something to change`
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}

/** The peer takes no part in this run, and this step is about it. */
export function needsPeer({ solo, evaluator }: Run, step: PlanStep): boolean {
  return solo && evaluator.mentions(step, 'peer')
}

/** Why a step that needs the peer is not done. */
export function peerReason({ message }: Trouble): string {
  return `it needs the other host, which takes no part: ${message}`
}
