import type { FollowerSighting } from './sighting.ts'
import { SUBSCRIPTION_STUCK_MS } from './timing.ts'

/** What is remembered of a follower's subscription. */
export interface SubscriptionMemory {
  /** hostMeta's slot, once it was subscribed to and its copy was whole. */
  readonly readySlot: string | null
  /** It is ready by hostMeta's slot now. */
  readonly ready: boolean
  /** Its table is half a copy: the host's own is aside, or was never there (A2, A3). */
  readonly copying: boolean
  readonly vanished: boolean
  readonly errors: number
  readonly troubleSince: number | null
  readonly lastTroubleAt: number
}

export const NO_TROUBLE: SubscriptionMemory = {
  readySlot: null,
  ready: false,
  copying: false,
  vanished: false,
  errors: 0,
  troubleSince: null,
  lastTroubleAt: 0,
}

/** A worker that has worked for this long is well: between two failures it is alive too. */
const CALM_MS = 5000

interface Look {
  readonly slot: string | null
  readonly at: number
  readonly leaderAnswers: boolean
}

/** Takes in one look at the subscription. */
export function seeSubscription(
  before: SubscriptionMemory,
  seen: FollowerSighting | null,
  { slot, at, leaderAnswers }: Look,
): SubscriptionMemory {
  if (seen === null || seen.slot !== slot || slot === null) {
    // Made anew on the same slot it would lose its origin (B4).
    const vanished = slot !== null && before.readySlot === slot
    const copying = seen !== null && !seen.ready
    return { ...NO_TROUBLE, readySlot: before.readySlot, copying, vanished }
  }
  const failing = seen.errors > before.errors && before.ready
  const trouble = leaderAnswers && seen.enabled && (failing || !seen.workerAlive)
  const lastTroubleAt = trouble ? at : before.lastTroubleAt
  const calm = !trouble && at - lastTroubleAt >= CALM_MS
  return {
    readySlot: seen.ready ? slot : before.readySlot,
    ready: seen.ready,
    copying: !seen.ready,
    vanished: false,
    errors: seen.errors,
    troubleSince: calm ? null : (before.troubleSince ?? (trouble ? at : null)),
    lastTroubleAt,
  }
}

/** True if only a slot of a new name, and a copy, help (B3, B4). */
export function needsNewSlot(memory: SubscriptionMemory): boolean {
  const { vanished, troubleSince, lastTroubleAt } = memory
  return (
    vanished || (troubleSince !== null && lastTroubleAt - troubleSince >= SUBSCRIPTION_STUCK_MS)
  )
}
