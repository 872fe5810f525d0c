import type { Network } from './network.ts'
import type { Postgres, Transaction } from './postgres.ts'
import type { Random } from './random.ts'
import type { Life, VirtualTime } from './virtual_time.ts'

/** kine on one host: runs or does not, against the PostgreSQL of one host. */
export interface Kine {
  life: Life
  running: boolean
  /** Name of the host whose database it uses. */
  endpoint: string
}

export interface ClientWorld {
  readonly time: VirtualTime
  readonly network: Network
  readonly random: Random
  postgresOf(host: string): Postgres
  /** Who judges what happened. */
  readonly judge: {
    acknowledge(transaction: Transaction, by: string, heard: boolean): void
    read(client: string, revision: number): void
  }
  committed(host: string): void
}

/** The Kubernetes API server and its clients on one host: a write every now and then, some at once. */
export class Client {
  written = 0
  readonly #world: ClientWorld
  readonly #host: string
  readonly #kine: Kine
  readonly #life: Life = { alive: true, frozen: null }

  constructor(world: ClientWorld, host: string, kine: Kine) {
    this.#world = world
    this.#host = host
    this.#kine = kine
  }

  /** Writes on and on, about every `everyMs`. */
  start(everyMs: number): void {
    const next = () => {
      const { time, random } = this.#world
      time.after(1 + Math.floor(random.next() * 2 * everyMs), this.#life, () => {
        this.attempt()
        if (random.chance(0.1)) this.attempt()
        next()
      })
    }
    next()
  }

  stop(): void {
    this.#life.alive = false
  }

  /** One read and one write through this host's kine. */
  attempt(): void {
    const { time, network } = this.#world
    const { endpoint, running, life } = this.#kine
    if (!running || life.frozen !== null) return
    if (!network.open(this.#host, endpoint)) return
    time.after(network.wayMs(this.#host, endpoint), life, () => this.#begin(endpoint, life))
  }

  #begin(endpoint: string, kineLife: Life): void {
    const { time, network, random, judge } = this.#world
    const postgres = this.#world.postgresOf(endpoint)
    if (!postgres.up) return
    if (network.open(endpoint, this.#host)) judge.read(this.#host, postgres.visibleMax)
    // The trigger lets nobody write but a worker; a full disk lets nobody write at all.
    if (postgres.fence || postgres.stuck) return
    const transaction: Transaction = {
      row: { id: postgres.nextRevision(), marker: null, acknowledged: false, guarded: false },
      position: 0,
      since: 0,
      settled: (outcome) => {
        if (outcome !== 'acknowledged') return
        const heard = kineLife.alive && network.open(endpoint, this.#host)
        if (heard) this.written++
        judge.acknowledge(transaction, endpoint, heard)
      },
    }
    postgres.begin(transaction)
    // Most commit at once; some take long enough to outlive their client (A7).
    const takesMs = random.chance(0.02) ? random.between(100, 2_500) : random.between(1, 4)
    time.after(takesMs, postgres.life, () => {
      if (!postgres.open.has(transaction)) return
      postgres.commit(transaction)
      this.#world.committed(endpoint)
    })
  }
}
