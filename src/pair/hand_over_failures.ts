import { HAND_OVER_PAUSE_MAX_MS, HAND_OVER_PAUSE_MS } from './timing.ts'

/** Hand-overs for a lost gateway that stopped both kines, and came to nothing. */
export interface HandOverFailures {
  /** Of a later term they say nothing: who leads, or what is replicated, is another thing by then. */
  readonly term: number
  readonly count: number
  /** The next is not tried before. */
  readonly until: number
}

/**
 * One more. Each has cost the API some seconds, and the reason may last: digests that differ stay so. What
 * lies further back than the longest pause is another story.
 */
export function failedOnceMore(
  before: HandOverFailures | null,
  term: number,
  now: number,
): HandOverFailures {
  const goesOn = before?.term === term && now - before.until <= HAND_OVER_PAUSE_MAX_MS
  const count = goesOn ? before.count + 1 : 1
  const pause = Math.min(HAND_OVER_PAUSE_MS * 2 ** (count - 1), HAND_OVER_PAUSE_MAX_MS)
  return { term, count, until: now + pause }
}

/** Whether the next has to wait; an operator's request does not. */
export function isPutOff(
  failures: HandOverFailures | null,
  term: number | undefined,
  now: number,
): boolean {
  return failures !== null && failures.term === term && now < failures.until
}
