import type { Clock } from './ports.ts'

/** Wrong tokens of one address within {@link WINDOW_MS}; more are not even looked at. */
const MOST_FAILURES = 10

/** @unit milliseconds */
const WINDOW_MS = 60_000

/** Addresses that are remembered; beyond it the longest known is forgotten. */
const MOST_ADDRESSES = 64

/** Counts who showed a wrong token, by address: guessing is hopeless, and must not be cheap either. */
export class FailedProofs {
  readonly #clock: Pick<Clock, 'now'>
  readonly #times = new Map<string, readonly number[]>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  count(from: string): void {
    const times = [...this.#recent(from), this.#clock.now()]
    this.#times.delete(from)
    this.#times.set(from, times)
    const [oldest] = this.#times.keys()
    if (this.#times.size > MOST_ADDRESSES && oldest !== undefined) this.#times.delete(oldest)
  }

  areTooMany(from: string): boolean {
    return this.#recent(from).length >= MOST_FAILURES
  }

  #recent(from: string): readonly number[] {
    const since = this.#clock.now() - WINDOW_MS
    return (this.#times.get(from) ?? []).filter((time) => time > since)
  }
}
