import type { FollowerSighting } from './sighting.ts'
import {
  COPY_ERRORS_MOST,
  COPY_STUCK_MOST_MS,
  COPY_STUCK_MS,
  SUBSCRIPTION_STUCK_MS,
} from './timing.ts'

/** What is remembered of a follower's subscription. */
export interface SubscriptionMemory {
  /** hostMeta's slot when it was looked at: of another one it says nothing. */
  readonly lookedFor: string | null
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
  readonly copy: CopyMemory
}

/** How a copy goes on. */
interface CopyMemory {
  readonly copied: string | null
  /** Of this subscription, when its copy was first seen. */
  readonly errorsBefore: number
  /** null: it was not seen yet. */
  readonly progressAt: number | null
  readonly stuck: boolean
  /** How many slots in a row had a copy that stuck, this one too. */
  readonly stuckOnes: number
}

const NO_COPY: CopyMemory = {
  copied: null,
  errorsBefore: 0,
  progressAt: null,
  stuck: false,
  stuckOnes: 0,
}

export const NO_TROUBLE: SubscriptionMemory = {
  lookedFor: null,
  readySlot: null,
  ready: false,
  copying: false,
  vanished: false,
  errors: 0,
  troubleSince: null,
  lastTroubleAt: 0,
  copy: NO_COPY,
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
  remembered: SubscriptionMemory,
  seen: FollowerSighting | null,
  look: Look,
): SubscriptionMemory {
  const { slot, at, leaderAnswers } = look
  const before = remembered.lookedFor === slot ? remembered : ofAnother(remembered, slot)
  if (seen === null || seen.slot !== slot || slot === null) {
    // Made anew on the same slot it would lose its origin (B4).
    const vanished = slot !== null && before.readySlot === slot
    const copying = seen !== null && !seen.ready
    return { ...ofAnother(before, slot), copying, vanished }
  }
  const failing = seen.errors > before.errors && before.ready
  const trouble = leaderAnswers && seen.enabled && (failing || !seen.workerAlive)
  const lastTroubleAt = trouble ? at : before.lastTroubleAt
  const calm = !trouble && at - lastTroubleAt >= CALM_MS
  return {
    lookedFor: slot,
    readySlot: seen.ready ? slot : before.readySlot,
    ready: seen.ready,
    copying: !seen.ready,
    vanished: false,
    errors: seen.errors,
    troubleSince: calm ? null : (before.troubleSince ?? (trouble ? at : null)),
    lastTroubleAt,
    copy: seeCopy(before.copy, seen, look),
  }
}

/** What lasts from one slot to the next. */
function ofAnother(
  { readySlot, copy: { stuckOnes } }: SubscriptionMemory,
  slot: string | null,
): SubscriptionMemory {
  return { ...NO_TROUBLE, lookedFor: slot, readySlot, copy: { ...NO_COPY, stuckOnes } }
}

/**
 * The worker of the changes streams on beside a copy that fails for ever, or waits for ever: neither the
 * leader's stream nor that worker tells of it (A3).
 */
function seeCopy(
  before: CopyMemory,
  { ready, enabled, copied, errors }: FollowerSighting,
  { at, leaderAnswers }: Look,
): CopyMemory {
  if (ready) return NO_COPY
  const { stuckOnes, progressAt } = before
  if (progressAt === null)
    return { copied, errorsBefore: errors, progressAt: at, stuck: false, stuckOnes }
  const tries = errors - before.errorsBefore
  const goesOn = copied !== before.copied && tries < COPY_ERRORS_MOST
  if (goesOn || !enabled || !leaderAnswers)
    return { ...before, copied, progressAt: at, stuck: before.stuck && !goesOn }
  const patience = Math.min(COPY_STUCK_MOST_MS, COPY_STUCK_MS * 2 ** stuckOnes)
  if (before.stuck || at - progressAt < patience) return { ...before, copied }
  return { ...before, copied, stuck: true, stuckOnes: stuckOnes + 1 }
}

/**
 * True if only a slot of a new name, and a copy, help (B3, B4).
 * @param slot - hostMeta's: what was seen of the one before says nothing of it
 */
export function needsNewSlot(memory: SubscriptionMemory, slot: string | null): boolean {
  const { lookedFor, vanished, troubleSince, lastTroubleAt, copy } = memory
  if (lookedFor !== slot) return false
  return (
    vanished ||
    copy.stuck ||
    (troubleSince !== null && lastTroubleAt - troubleSince >= SUBSCRIPTION_STUCK_MS)
  )
}
