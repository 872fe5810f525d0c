import type { HostName } from './names.ts'
import type { Decision } from './pair_view.ts'
import { firstAckAfter, longestGap, type WriterRecord } from './writer_log.ts'

/** One failover, measured from the power cut. Undefined: it was not seen. @unit milliseconds */
export interface FailoverTimes {
  /** Until the survivor's agent decided to promote. */
  readonly detection: number | undefined
  /** What the promotion itself took, in its agent. */
  readonly promotion: number | undefined
  /** Until the promotion was done. */
  readonly promoted: number | undefined
  /** Until the survivor's API acknowledged a write that was made after the promotion. */
  readonly firstWrite: number | undefined
  /** Between the last acknowledged write before and the first one after. */
  readonly gap: number | undefined
}

/** What a survivor's journal and a writer on it say of a failover. */
export function failoverTimes({
  offAt,
  survivor,
  decisions,
  log,
}: {
  /** Wall time at which the power was cut. @unit milliseconds */
  readonly offAt: number
  readonly survivor: HostName
  readonly decisions: readonly Decision[]
  readonly log: readonly WriterRecord[]
}): FailoverTimes {
  const mine = decisions.filter(({ host, at }) => host === survivor && at >= offAt)
  const decided = mine.findIndex(({ record }) => record['goal'] === 'promote')
  const done = mine
    .slice(Math.max(decided, 0))
    .find(({ record }) => record['kind'] === 'converge' && record['outcome'] === 'done')
  const after = (at: number | undefined): number | undefined =>
    at === undefined ? undefined : at - offAt
  const promotion = done?.record['ms']
  const decidedAt = mine[decided]?.at
  return {
    detection: after(decidedAt),
    promotion: typeof promotion === 'number' ? promotion : undefined,
    promoted: after(done?.at),
    firstWrite: after(firstAckAfter(log, decidedAt ?? offAt)),
    gap: longestGap(log, offAt)?.ms,
  }
}
