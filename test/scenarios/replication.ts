import type { Network } from './network.ts'
import type { Postgres, Slot, Subscription } from './postgres.ts'
import type { Random } from './random.ts'
import { Table } from './table.ts'
import type { VirtualTime } from './virtual_time.ts'

export interface ReplicationEnd {
  readonly name: string
  readonly postgres: Postgres
}

export interface ReplicationWorld {
  readonly time: VirtualTime
  readonly network: Network
  readonly random: Random
}

/** Without a word from its reader a walsender ends after this. @unit milliseconds */
const WALSENDER_TIMEOUT_MS = 5_000

/** Until the apply worker has started one that copies: it streams already (A3). @unit milliseconds */
const COPY_WORKER_MS = 400

/** Copying a table: a start, and so much for each row. @unit milliseconds */
const COPY_START_MS = 800
const COPY_ROW_MS = 5

/** Rows come all the time while its worker copies. */
export function copiedOf({ state, copyUntil }: Subscription, now: number): string | null {
  if (state === 'ready') return null
  return copyUntil === null ? 'd' : `d ${now}`
}

/**
 * What carries one host's log to the other: the walsender on `source`, the apply and tablesync workers
 * on `target`. It runs as long as both PostgreSQL do, and the link lets it.
 */
export class Replication {
  readonly #world: ReplicationWorld
  readonly #source: ReplicationEnd
  readonly #target: ReplicationEnd
  #applyAt = -1
  #flushAt = -1

  constructor(world: ReplicationWorld, source: ReplicationEnd, target: ReplicationEnd) {
    this.#world = world
    this.#source = source
    this.#target = target
  }

  /** Lets it do what it can now: after each commit, and every now and then. */
  pump(): void {
    const { subscription } = this.#target.postgres
    if (subscription === null) return
    const slot = this.#slotOf(subscription)
    // A copy has a worker of its own: it fails, and the stream beside it lives (A3).
    const copies = subscription.state === 'copying'
    const halted = subscription.conflict && !copies
    subscription.workerAlive = slot !== null && !halted
    if (slot === null) return
    const { now } = this.#world.time
    if (this.#heard()) slot.activeUntil = now + WALSENDER_TIMEOUT_MS
    slot.streaming = !halted
    if (copies) {
      // While the table copies, the apply worker passes over its changes, and confirms them (A3).
      if (this.#heard()) slot.confirmed = this.#source.postgres.log.length
      this.#source.postgres.release(slot.confirmed)
      return this.#copy(subscription)
    }
    if (!this.#start(subscription, slot)) return
    // A follower that waits for a follower of its own applies nothing (B2).
    if (this.#target.postgres.synchronous || this.#target.postgres.stuck) return
    if (subscription.conflict) {
      subscription.errors++
      return
    }
    const behind = this.#source.postgres.log.length > subscription.position
    if (behind && this.#applyAt <= now) {
      this.#applyAt = now + this.#world.network.wayMs(this.#source.name, this.#target.name)
      this.#later(this.#applyAt - now, () => this.#apply(subscription))
    }
    if (!behind && subscription.flushed < subscription.position) this.#flushSoon(subscription)
    else if (!behind) this.#confirm(subscription, slot)
  }

  #heard(): boolean {
    return this.#world.network.open(this.#target.name, this.#source.name)
  }

  /** The slot that this subscription can read now; null: none. What is sent may arrive unanswered. */
  #slotOf(subscription: Subscription | null): Slot | null {
    const source = this.#source.postgres
    if (subscription === null || !subscription.enabled) return null
    if (!source.up || !this.#target.postgres.up) return null
    if (!this.#world.network.open(this.#source.name, this.#target.name)) return null
    const slot = source.slots.get(subscription.slot)
    return slot === undefined || slot.lost ? null : slot
  }

  /** A stream starts at the later of what the reader asks for and what the slot remembers (B3, B4). */
  #start(subscription: Subscription, slot: Slot): boolean {
    if (!subscription.started && !this.#heard()) return false
    subscription.started = true
    if (slot.confirmed > subscription.position) {
      subscription.position = slot.confirmed
      subscription.flushed = slot.confirmed
    }
    return true
  }

  #copy(subscription: Subscription): void {
    const { time, random } = this.#world
    if (subscription.copyUntil !== null || !this.#heard()) return
    subscription.copyFrom ??= time.now + random.between(0, COPY_WORKER_MS)
    if (time.now < subscription.copyFrom) return
    const rows = this.#source.postgres.table.count
    const takesMs = COPY_START_MS + rows * COPY_ROW_MS + random.between(0, 2_000)
    subscription.copyUntil = time.now + takesMs
    this.#later(takesMs, () => {
      if (this.#target.postgres.subscription !== subscription) return
      subscription.copyFrom = null
      subscription.copyUntil = null
      if (this.#slotOf(subscription) === null || !this.#heard()) return
      this.#finishCopy(subscription)
    })
  }

  /** Its worker is ended: what it has copied may be committed by then. */
  endCopy(): void {
    const { subscription } = this.#target.postgres
    if (subscription === null || subscription.state !== 'copying') return
    const isBusy = subscription.copyUntil !== null && this.#slotOf(subscription) !== null
    if (isBusy && this.#heard() && this.#world.random.chance(0.5)) this.#finishCopy(subscription)
  }

  #finishCopy(subscription: Subscription): void {
    const source = this.#source.postgres
    const target = this.#target.postgres
    if (target.table.count > 0) {
      subscription.errors++
      return
    }
    target.table = new Table(source.table.rows)
    for (const row of source.table.rows) target.log.push(row)
    subscription.state = 'ready'
    subscription.started = true
    subscription.position = source.log.length
    subscription.flushed = subscription.position
  }

  #apply(subscription: Subscription): void {
    const source = this.#source.postgres
    const target = this.#target.postgres
    if (target.subscription !== subscription || this.#slotOf(subscription) === null) return
    if (target.synchronous || target.stuck) return
    const upTo = source.log.length
    for (let at = subscription.position; at < upTo; at++) {
      const row = source.log[at]
      if (row === undefined) break
      if (!target.table.add(row)) {
        subscription.conflict = true
        break
      }
      target.log.push(row)
      subscription.unflushed.push(row)
      subscription.position = at + 1
    }
    this.#flushSoon(subscription)
  }

  #flushSoon(subscription: Subscription): void {
    const { time, random } = this.#world
    if (this.#flushAt > time.now) return
    const ms = random.between(1, 8)
    this.#flushAt = time.now + ms
    this.#later(ms, () => {
      if (this.#target.postgres.subscription !== subscription) return
      subscription.flushed = subscription.position
      subscription.unflushed = []
      const slot = this.#slotOf(subscription)
      if (slot === null) return
      this.#confirm(subscription, slot)
      if (this.#source.postgres.log.length > subscription.position) this.pump()
    })
  }

  /** The leader hears how far its follower's disk is. */
  #confirm(subscription: Subscription, slot: Slot): void {
    if (!this.#heard()) return
    if (subscription.flushed > slot.confirmed) slot.confirmed = subscription.flushed
    this.#source.postgres.release(slot.confirmed)
  }

  #later(ms: number, act: () => void): void {
    this.#world.time.after(ms, this.#target.postgres.life, act)
  }
}
