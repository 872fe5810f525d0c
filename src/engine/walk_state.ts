import type { PlanStep } from '../core/plan.ts'
import { leftOutRegisters } from './plays.ts'
import type { Run } from './ports.ts'
import type { Register } from './registers.ts'
import { leftOutRegister } from './survey.ts'
import { Tally } from './tally.ts'
import type { StepView } from './view_step.ts'

/** What a walk knows on its way through the plays. */
export class WalkState {
  readonly registers = new Map<string, Register>()
  readonly tally = new Tally()
  /** Something changed in the play that is under way. */
  changedInPlay = false
  changedAtAll = false
  /** Handlers that could not be told: owed on, and not tried again in this run. */
  readonly putOff = new Set<string>()
  #views: ReadonlyMap<string, StepView>

  constructor(run: Run, views: ReadonlyMap<string, StepView>) {
    this.#views = views
    for (const [name, task] of leftOutRegisters(run))
      this.registers.set(name, leftOutRegister(task))
  }

  /** Something is no more as it was observed: every later step is looked at in its turn. */
  forgetViews(): void {
    this.#views = new Map()
  }

  /** An early view that is whole and still holds. */
  viewOf({ id }: PlanStep): StepView | undefined {
    const found = this.#views.get(id)
    const isWhole = found?.items.every(
      ({ view }) => view.kind === 'seen' || view.kind === 'skipped',
    )
    return isWhole === true ? found : undefined
  }
}
