import type { Timing } from './timing.ts'

/** Attempts in a row at a void that the peer did not acknowledge. */
export interface VoidRefusal {
  readonly since: number
  readonly lastAt: number
}

/** One more; what lies too far back is another story, and its age says nothing of this one. */
export function refusedAgain(
  before: VoidRefusal | null,
  now: number,
  { fenceMs, intervalMs }: Timing,
): VoidRefusal {
  const goesOn = before !== null && now - before.lastAt <= fenceMs + 3 * intervalMs
  return { since: goesOn ? before.since : now, lastAt: now }
}

/**
 * Whether it has been refused for the fence time, so that the leader may do without. Only for as long as
 * two rounds take: a leader that may not, for its gateway is dead, asks again, for the peer may be able to by now.
 */
export function isRefused(refusal: VoidRefusal | null, now: number, timing: Timing): boolean {
  if (refusal === null) return false
  const { since, lastAt } = refusal
  return now - since >= timing.fenceMs && now - lastAt <= 2 * timing.intervalMs
}
