/** A commit that waits for a follower, as one look at pg_stat_activity shows it. */
export interface Waiting {
  /** The same for as long as it is the same statement of the same backend. */
  readonly key: string
  /** Since its statement began, which may be long before it came to wait. @unit milliseconds */
  readonly ageMs: number
}

/** Several looks at commits that wait. PostgreSQL does not say since when one waits, so it is bounded. */
export class CommitWaits {
  /** By key: when it was not waiting yet. */
  #notBefore = new Map<string, number>()
  #lastAt: number | undefined

  /**
   * The longest that one of them may have waited: not longer than its statement has run, and not from
   * before the look that did not show it.
   * @param atMs when this look was begun @param nowMs when it was answered
   */
  oldest(waiting: readonly Waiting[], atMs: number, nowMs: number): number {
    const known = new Map<string, number>()
    let oldestMs = 0
    for (const { key, ageMs } of waiting) {
      const notBefore = this.#notBefore.get(key) ?? this.#lastAt ?? nowMs - ageMs
      known.set(key, notBefore)
      oldestMs = Math.max(oldestMs, Math.min(ageMs, nowMs - notBefore))
    }
    this.#notBefore = known
    this.#lastAt = atMs
    return oldestMs
  }
}
