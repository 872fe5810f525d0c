import type { Judged } from '../pair/judge.ts'
import { SETTLE_RETRY_MAX_MS, SETTLE_RETRY_MS } from '../pair/timing.ts'

/** Beyond it the pause does not grow. */
const MOST_FAILURES = 10

/** When a role is converged again: one that could not be, and one that was. */
export class SettlePauses {
  #failures = 0
  #retryAt = 0
  #routineAt = Infinity
  #last: Awaited = { postgres: true, disk: true, peer: true }

  /** It came about, or another thing is to be settled. */
  reset(): void {
    this.#failures = 0
    this.#retryAt = 0
  }

  /** `urgentMs`: what is urgent is tried at once, and then as often as this; null: a routine. */
  failed(now: number, urgentMs: number | null): void {
    const growing = Math.min(SETTLE_RETRY_MS * 2 ** this.#failures, SETTLE_RETRY_MAX_MS)
    const pause = urgentMs === null ? growing : this.#failures === 0 ? 0 : urgentMs
    this.#failures = Math.min(this.#failures + 1, MOST_FAILURES)
    this.#retryAt = now + pause
  }

  /** It could not be begun: its lock may be free at the next round. */
  heldUntil(time: number): void {
    this.#retryAt = time
  }

  isOver(now: number): boolean {
    return now >= this.#retryAt
  }

  /** What is settled is looked at again then. */
  routineAt(time: number): void {
    this.#routineAt = time
  }

  isRoutineDue(now: number): boolean {
    return now >= this.#routineAt
  }

  /**
   * What a converge fails for is mostly one of these: what has come back ends a pause that has grown
   * meanwhile. Of a peer that does not answer nothing is known.
   */
  see({ postgres, disk, peer }: Pick<Judged, 'postgres' | 'disk' | 'peer'>): void {
    const before = this.#last
    this.#last = {
      postgres: postgres === 'up',
      disk: disk === 'ok',
      peer: peer.contact === 'answers' ? peer.says.settled : before.peer,
    }
    const { postgres: serves, disk: takes, peer: settled } = this.#last
    const cameBack =
      (serves && !before.postgres) || (takes && !before.disk) || (settled && !before.peer)
    if (cameBack) this.#retryAt = 0
  }
}

/** Which of them are there. */
interface Awaited {
  readonly postgres: boolean
  readonly disk: boolean
  /** Settled in its role. */
  readonly peer: boolean
}
