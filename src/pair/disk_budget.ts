import { DISK_FULL_BYTES } from './timing.ts'

/**
 * What is left on the disks that a leader writes to: PostgreSQL's data, its WAL, and the folder of
 * hostMeta and the journal; the one with the least counts. Sacrificed are, in this order:
 *
 *     low    nothing yet: a person is told, in the journal and the status
 *     tight  a leader that is alone lets its follower go, whose slot keeps WAL that nobody reads: the
 *            follower copies when it is back. PostgreSQL's own bound (max_slot_wal_keep_size) is a
 *            size and knows nothing of the disk
 *     full   a paired leader yields; nothing is written any more
 *
 * The WAL that no slot keeps is bounded by max_wal_size, and the journal by its eight files.
 */
export type Room = 'ok' | 'low' | 'tight' | 'full'

/** One round's look at it. */
export interface DiskSeen {
  readonly writable: boolean
  /** @unit bytes */
  readonly freeBytes: number
  /** Of its WAL: segments that are there and not written yet. They are room as well. @unit bytes */
  readonly spareBytes: number
  /** Position of this host's WAL; null: PostgreSQL does not answer. @unit bytes */
  readonly writtenBytes: number | null
  /** When it was seen, CLOCK_BOOTTIME. @unit milliseconds */
  readonly at: number
}

/** What is remembered of earlier rounds. */
export interface DiskBudget {
  readonly room: Room
  readonly freeBytes: number
  /** How fast the WAL grows, over about half a minute. */
  readonly bytesPerSecond: number
  readonly last: { readonly writtenBytes: number; readonly at: number } | null
}

export const FIRST_BUDGET: DiskBudget = {
  room: 'ok',
  freeBytes: Number.MAX_SAFE_INTEGER,
  bytesPerSecond: 0,
  last: null,
}

/**
 * A follower is let go when the disk would be full within this: a slot is dropped within a second, but
 * one that is read only when its reader is gone (30 s at most), and the checkpoint that removes the WAL
 * may have a gigabyte to write. @unit seconds
 */
const LET_GO_S = 60

/** Times what a full disk is: a disk of which nothing is written is let alone for longer. */
const TIGHT_AT_LEAST = 4
const LOW_AT_LEAST = 8

/** The newest rounds weigh the most: a burst of seconds is no rate. @unit milliseconds */
const RATE_OVER_MS = 30_000

/** Below which free space is called how. */
export function boundsOf(bytesPerSecond: number): Readonly<Record<Exclude<Room, 'ok'>, number>> {
  const full = DISK_FULL_BYTES
  const tight = Math.max(TIGHT_AT_LEAST * full, full + LET_GO_S * bytesPerSecond)
  return { full, tight, low: Math.max(LOW_AT_LEAST * full, 2 * tight) }
}

const WORST_FIRST = ['full', 'tight', 'low'] as const

/** Takes in one round. A level is left at twice its bound: a disk at the edge does not flutter. */
export function budget(before: DiskBudget, seen: DiskSeen): DiskBudget {
  const bytesPerSecond = rateOf(before, seen)
  const { freeBytes, spareBytes, writable } = seen
  const last =
    seen.writtenBytes === null ? before.last : { writtenBytes: seen.writtenBytes, at: seen.at }
  const bounds = boundsOf(bytesPerSecond)
  const found = WORST_FIRST.find((room) => {
    const left = room === 'full' ? freeBytes : freeBytes + spareBytes
    return left < (isAtLeast(before.room, room) ? 2 : 1) * bounds[room]
  })
  return { room: writable ? (found ?? 'ok') : 'full', freeBytes, bytesPerSecond, last }
}

/** True if there is no more room than that. */
export function isAtLeast(room: Room, bad: Exclude<Room, 'ok'>): boolean {
  const rank = WORST_FIRST.findIndex((one) => one === room)
  return rank >= 0 && rank <= WORST_FIRST.indexOf(bad)
}

function rateOf({ bytesPerSecond, last }: DiskBudget, { writtenBytes, at }: DiskSeen): number {
  if (writtenBytes === null || last === null || at <= last.at) return bytesPerSecond
  const ms = at - last.at
  // A cluster that was made anew counts from its beginning.
  const now = (1000 * Math.max(0, writtenBytes - last.writtenBytes)) / ms
  const weight = 1 - Math.exp(-ms / RATE_OVER_MS)
  return bytesPerSecond + weight * (now - bytesPerSecond)
}
