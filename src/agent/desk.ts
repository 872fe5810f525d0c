import { heardAgoMs } from '../pair/liveness.ts'
import { followerDiffers } from './differs.ts'
import type { Clock, Ports } from './ports.ts'
import type { PowerStanding } from './power_off.ts'
import type { AgentState } from './state.ts'

/** What an operator asks of an agent, and no rule decides. */
export class Desk {
  readonly #state: AgentState
  readonly #clock: Clock
  readonly #store: Ports['store']

  constructor(state: AgentState, { clock, store }: Pick<Ports, 'clock' | 'store'>) {
    this.#state = state
    this.#clock = clock
    this.#store = store
  }

  /** This follower is about to stop: its leader goes on alone first. 0: it stays. */
  leave(forMs: number): void {
    this.#state.leavingUntil = this.#clock.now() + forMs
  }

  /** Since the peer's agent was heard; null: never by this agent. @unit milliseconds */
  heardAgoMs(): number | null {
    return heardAgoMs(this.#state.memory, this.#clock.now())
  }

  /** What the peer's management controller said last; null: the site has none, or it was not asked yet. */
  power(): PowerStanding | null {
    return this.#state.power.standing
  }

  /** The follower by this slot is no copy of this leader's table, which both agents have compared (A7). */
  followerDiffers(slot: string): void {
    followerDiffers(this.#state, this.#store, slot)
  }

  /** Schemas with tables of other histories, as the last converge saw them; null: none has looked. */
  keptAside(): readonly string[] | null {
    return this.#state.aside.kept
  }
}
