import type { Disk } from './disk.ts'
import { type Row, Table } from './table.ts'
import type { Life, VirtualTime } from './virtual_time.ts'

/** A replication slot. Positions are counts of commits in the leader's log. */
export interface Slot {
  confirmed: number
  /** What a crash of the leader falls back to. */
  persisted: number
  /** Its walsender ends at this time, if its reader is not heard again. */
  activeUntil: number
  /** Its reader takes what it is sent. */
  streaming: boolean
  lost: boolean
}

export interface Subscription {
  slot: string
  enabled: boolean
  /** srsubstate: 'copying' is d, 'ready' is r. */
  state: 'copying' | 'ready'
  /** The origin's remote_lsn: what is applied of the leader's log. */
  position: number
  /** Of that, what a power cut leaves. */
  flushed: number
  /** Applied, not flushed. */
  unflushed: Row[]
  /** When its tablesync worker is started, and when it has copied; null: not yet. */
  copyFrom: number | null
  copyUntil: number | null
  /** A row that is there already stops its worker for ever; it tries again and again. */
  conflict: boolean
  /** Its worker has its stream; without one it dies and is started, again and again. */
  workerAlive: boolean
  errors: number
  /** Has asked its slot for a stream since it was made: the slot's position is then known to it. */
  started: boolean
}

/** A write under way. `settled` hears how it ended; a writer that is gone has nobody to tell. */
export interface Transaction {
  readonly row: Row
  /** Position of its commit; 0: not committed. */
  position: number
  since: number
  readonly settled: (outcome: 'acknowledged' | 'unknown' | 'refused') => void
}

const NOBODY: Life = { alive: false, frozen: null }

/**
 * PostgreSQL, as far as a pair needs it: a table, a log of commits, slots, one subscription, the fence
 * and synchronous_standby_names. Its commits are on the disk; what it applies of a peer's is flushed a
 * moment later.
 */
export class Postgres {
  life: Life = NOBODY
  state: 'down' | 'starting' | 'up' = 'down'
  table = new Table()
  /** Tables that a swap moved aside (A2). */
  readonly kept: Table[] = []
  log: Row[] = []
  readonly slots = new Map<string, Slot>()
  /** Names of slots that were ever made here, or tried: none is used twice (B3). */
  readonly madeSlots = new Set<string>()
  subscription: Subscription | null = null
  fence = false
  /** synchronous_standby_names names the peer. */
  synchronous = false
  lastGiven = 0
  /** The highest revision that a reader sees: a commit that waits is not visible yet. */
  visibleMax = 0
  readonly open = new Set<Transaction>()
  waiting: Transaction[] = []
  readonly #time: VirtualTime
  readonly #disk: Disk

  constructor(time: VirtualTime, disk: Disk) {
    this.#time = time
    this.#disk = disk
  }

  /** Nothing can be committed. */
  get stuck(): boolean {
    return this.#disk.full
  }

  get up(): boolean {
    return this.state === 'up' && this.life.frozen === null
  }

  start(afterMs: number): void {
    if (this.state !== 'down') return
    this.state = 'starting'
    this.life = { alive: true, frozen: null }
    this.#time.after(afterMs, this.life, () => {
      this.state = 'up'
      this.visibleMax = this.table.max
    })
  }

  /** A crash, or a power cut: what waits is kept and not acknowledged, what is open is gone (A9). */
  stop(): void {
    if (this.state === 'down') return
    this.life.alive = false
    this.state = 'down'
    for (const each of [...this.open, ...this.waiting]) each.settled('unknown')
    this.open.clear()
    this.waiting = []
    const { subscription } = this
    if (subscription !== null) {
      this.table.remove(subscription.unflushed)
      this.log.splice(this.log.length - subscription.unflushed.length)
      subscription.unflushed = []
      subscription.position = subscription.flushed
      subscription.copyFrom = null
      subscription.copyUntil = null
    }
    for (const slot of this.slots.values()) {
      slot.activeUntil = 0
      slot.confirmed = slot.persisted
    }
  }

  /** A new cluster, in which there is only kine's empty table. */
  format(): void {
    this.table = new Table()
    this.kept.length = 0
    this.log = []
    this.slots.clear()
    this.madeSlots.clear()
    this.subscription = null
    this.fence = true
    this.synchronous = false
    this.lastGiven = 0
    this.visibleMax = 0
  }

  /** Gives the write its revision; its commit comes later, and out of order (A1). */
  begin(transaction: Transaction): void {
    this.open.add(transaction)
  }

  nextRevision(): number {
    this.lastGiven = Math.max(this.lastGiven, this.table.max) + 1
    return this.lastGiven
  }

  commit(transaction: Transaction): void {
    if (!this.open.delete(transaction)) return
    if (this.stuck || !this.insert(transaction.row)) return transaction.settled('refused')
    transaction.position = this.log.length
    transaction.since = this.#time.now
    if (this.synchronous) this.waiting.push(transaction)
    else this.#acknowledge(transaction)
  }

  /** A row of our own, at once: a writer's after its wait, a marker, never an applied one. */
  insert(row: Row): boolean {
    if (!this.table.add(row)) return false
    this.log.push(row)
    if (row.id > this.lastGiven) this.lastGiven = row.id
    return true
  }

  /** Lets go the commits that somebody has flushed, up to a position. */
  release(position: number): void {
    const [first] = this.waiting
    if (first === undefined || first.position > position) return
    const waiting = this.waiting
    this.waiting = waiting.filter((each) => each.position > position)
    for (const each of waiting) if (each.position <= position) this.#acknowledge(each)
  }

  /** ALTER SYSTEM and a reload; who still waits is cancelled: all of them report success (A9, C2). */
  stopWaiting(): void {
    this.synchronous = false
    this.release(Number.POSITIVE_INFINITY)
  }

  /** The client hears an error, and the commits that waited are kept (A7, A9). */
  terminateBackends(): void {
    const ended = [...this.open, ...this.waiting]
    for (const { row } of this.waiting) this.visibleMax = Math.max(this.visibleMax, row.id)
    this.open.clear()
    this.waiting = []
    for (const each of ended) each.settled('unknown')
  }

  oldestWaitMs(): number {
    const [first] = this.waiting
    return first === undefined ? 0 : this.#time.now - first.since
  }

  #acknowledge(transaction: Transaction): void {
    if (transaction.row.id > this.visibleMax) this.visibleMax = transaction.row.id
    transaction.settled('acknowledged')
  }
}
