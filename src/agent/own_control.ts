import type { Control } from '../engine/ports.ts'
import type { ToldEvents } from './told_events.ts'

/** Nobody else takes part: every barrier is open, and what is pending is done. */
export function ownControl(stop: AbortSignal, told: ToldEvents): Control {
  return {
    stop,
    peerFailed: () => undefined,
    observed: async ({ pending, events }) => {
      if (pending.length > 0) return { kind: 'apply', firstBarrier: Number.POSITIVE_INFINITY }
      for (const event of events) told.take(event)
      return { kind: 'end' }
    },
    barrier: async () => ({ kind: 'proceed', peerChanged: false }),
  }
}
