import type { Counts, StepStatus } from '../core/events.ts'

/** Worst first: what a step with many items counts as. */
const WEIGHT: readonly StepStatus[] = [
  'failed',
  'unknown',
  'changed',
  'would-change',
  'ok',
  'skipped',
]

/** Counts steps; a loop is one step, counted as the worst of its items. */
export class Tally {
  #counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }

  add(statuses: readonly StepStatus[]): void {
    const worst = WEIGHT.find((status) => statuses.includes(status)) ?? 'skipped'
    this.#counts[worst === 'would-change' ? 'changed' : worst] += 1
  }

  counts(): Counts {
    return { ...this.#counts }
  }
}
