import { TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'

/**
 * Certificates and logs of two hosts are only comparable if their clocks are about the same. What is
 * measured holds the way from the host too, so this is far above any latency and far below what a
 * certificate would notice.
 * @unit milliseconds
 */
const TOLERATED_MS = 5_000

export interface ClockDifference {
  heard(hello: HelloEvent): void
  /** What is wrong between these hosts; undefined: nothing, or it is not known. */
  judge(hosts: readonly string[]): TwonodeError | undefined
}

/** Compares the hosts' clocks by when their hellos were written and when they came. */
export function clockDifference(now: () => number): ClockDifference {
  const offsets = new Map<string, number>()
  return {
    heard({ host, clockMs }) {
      if (clockMs !== undefined) offsets.set(host, clockMs - now())
    },
    judge(hosts) {
      const known = hosts.flatMap((host) => offsets.get(host) ?? [])
      if (known.length < 2) return undefined
      const apartMs = Math.max(...known) - Math.min(...known)
      if (apartMs <= TOLERATED_MS) return undefined
      return new TwonodeError(
        'E_UNHEALTHY',
        `the clocks of ${hosts.join(' and ')} are ${(apartMs / 1000).toFixed(0)} s apart`,
        { hint: 'Set up time synchronisation on both hosts.' },
      )
    },
  }
}
