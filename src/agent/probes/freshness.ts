/**
 * Tells answers that have just come from those that lay in a pipe while we were away. The writer stamps
 * them with its wall clock, and ours may be another one or be set meanwhile: what counts is how much
 * older than usual an answer seems. After a change of clocks one answer is lost.
 */
export class Freshness {
  /** @unit milliseconds */
  readonly #toleranceMs: number
  /** Answers that come closer together were waiting for us. @unit milliseconds */
  readonly #spacingMs: number
  /** What an answer that has just come seems to be old. */
  #usualMs = Infinity
  #last = { agoMs: Number.NaN, atMs: -Infinity }

  constructor(toleranceMs: number, spacingMs: number) {
    this.#toleranceMs = toleranceMs
    this.#spacingMs = spacingMs
  }

  /**
   * How long ago it came, or null if that is too long. `agoMs`: by the two wall clocks; `atMs`: now, on
   * a clock that is never set.
   */
  judge(agoMs: number, atMs: number): number | null {
    const last = this.#last
    this.#last = { agoMs, atMs }
    const isSteady =
      atMs - last.atMs >= this.#spacingMs && Math.abs(agoMs - last.agoMs) < this.#toleranceMs / 2
    if (isSteady || agoMs < this.#usualMs) this.#usualMs = agoMs
    const sinceMs = agoMs - this.#usualMs
    return sinceMs <= this.#toleranceMs ? sinceMs : null
  }
}
