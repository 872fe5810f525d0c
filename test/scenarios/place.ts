import { type Place, Trouble } from './engine.ts'

/** Position in a log as PostgreSQL writes it. */
export const lsnText = (position: number): string => `0/${position.toString(16).toUpperCase()}`

export const positionOf = (lsn: string): number => Number.parseInt(lsn.slice(2), 16)

/** The branch has not begun on this host: its leader promotes, or takes over. */
export const notBegun = ({ machine, meta }: Place): boolean =>
  machine.postgres.table.highestBranch < meta.branch

export const begun = (place: Place): boolean => !notBegun(place)

/** Something is about to be committed. */
export function commits({ machine }: Place): void {
  if (machine.postgres.stuck) throw new Trouble('could not write: no space left on the disk')
}

/** A name is used once: a slot that was lost is not made again (B3). */
export function makeSlotOnce({ machine, meta, world }: Place, made = true): void {
  const { postgres } = machine
  if (meta.slot === null || postgres.slots.has(meta.slot)) return
  if (world.rules.remembersSlots && postgres.madeSlots.has(meta.slot)) return
  postgres.madeSlots.add(meta.slot)
  const position = postgres.log.length
  const slot = {
    confirmed: position,
    persisted: position,
    activeUntil: 0,
    streaming: false,
    lost: false,
  }
  if (made) postgres.slots.set(meta.slot, slot)
}

export function fence(place: Place): void {
  const { postgres } = place.machine
  if (postgres.fence) return
  commits(place)
  // CREATE TRIGGER waits behind what is open, as long as lock_timeout lets it.
  if (postgres.open.size > 0) throw new Trouble('the table is locked by a write')
  postgres.fence = true
}

/** @unit milliseconds */
const POLL_MS = 100

/** Waits for something; false: it did not come within the bound, or somebody wants this to end. */
export async function until(place: Place, boundMs: number, holds: () => boolean): Promise<boolean> {
  const { time } = place.world
  const end = time.now + boundMs
  while (time.now < end && !place.stopped()) {
    if (!place.machine.postgres.up) throw new Trouble('PostgreSQL takes no connection')
    if (holds()) return true
    await place.wait(POLL_MS)
  }
  return false
}
