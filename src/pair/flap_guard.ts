import type { HostMeta } from './host_meta.ts'
import { FLAP_LIMIT, FLAP_WINDOW_MS } from './timing.ts'

/**
 * A pair that changes again and again does more harm than one that stands still: after FLAP_LIMIT
 * changes in an hour nothing is begun any more, until an operator has looked or an hour was calm.
 */
export interface FlapGuard {
  /** When the pair changed, CLOCK_BOOTTIME, oldest first. */
  readonly changes: readonly number[]
  readonly frozen: boolean
}

export const CALM: FlapGuard = { changes: [], frozen: false }

/** What counts: another leader, or a leader that went alone. Pairing again is the way back. */
export function isChange(before: HostMeta | null, after: HostMeta): boolean {
  if (before === null) return false
  return before.leader !== after.leader || (before.mode === 'paired' && after.mode === 'alone')
}

export function withChange(guard: FlapGuard, at: number): FlapGuard {
  const changes = [...guard.changes.filter((change) => at - change < FLAP_WINDOW_MS), at]
  return { changes, frozen: guard.frozen || changes.length >= FLAP_LIMIT }
}

/** Frozen it stays until the last change is an hour old. */
export function atTime(guard: FlapGuard, now: number): FlapGuard {
  const changes = guard.changes.filter((change) => now - change < FLAP_WINDOW_MS)
  if (changes.length === guard.changes.length) return guard
  return { changes, frozen: guard.frozen && changes.length > 0 }
}

/**
 * How old the changes are that an agent before this one wrote down with the time of day. A clock that a
 * boot set back by more than the window, to 1970 where no battery holds it, tells nothing of them; by
 * less, they are counted as new.
 */
export function agesOf(changes: readonly number[], wallTime: number): readonly number[] {
  return changes
    .filter((at) => at - wallTime < FLAP_WINDOW_MS)
    .map((at) => Math.max(0, wallTime - at))
}

/** What an agent that starts takes over from the one before it. */
export function restored(ages: readonly number[], now: number): FlapGuard {
  return ages.toSorted((a, b) => b - a).reduce((guard, age) => withChange(guard, now - age), CALM)
}

/** The same from times of day, as they were written down. */
export function kept(
  changes: readonly number[],
  { wall, now }: { readonly wall: number; readonly now: number },
): FlapGuard {
  return restored(agesOf(changes, wall), now)
}
