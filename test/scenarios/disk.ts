import type { Life, VirtualTime } from './virtual_time.ts'

/**
 * The files of one host's agent. A write is on the disk when it resolves; a power cut before leaves the
 * old content. `lazyMs` is a disk, or an agent, that says so earlier than it is true: for mutations.
 */
export class Disk {
  full = false
  /** Almost full. */
  tight = false
  lazyMs = 0
  readonly #time: VirtualTime
  readonly #durable = new Map<string, unknown>()
  /** What a reader of this boot sees. */
  readonly #cached = new Map<string, unknown>()

  constructor(time: VirtualTime) {
    this.#time = time
  }

  read<T>(name: string, missing: T): T {
    return this.#cached.has(name) ? (this.#cached.get(name) as T) : missing
  }

  /** What a power cut now would leave. */
  durable<T>(name: string, missing: T): T {
    return this.#durable.has(name) ? (this.#durable.get(name) as T) : missing
  }

  write(name: string, value: unknown, life: Life): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#time.after(2, life, () => {
        if (this.full)
          return this.#time.wake(() => reject(new Error(`ENOSPC: no space left for ${name}`)))
        this.#cached.set(name, value)
        if (this.lazyMs > 0)
          this.#time.after(this.lazyMs, life, () => this.#durable.set(name, value))
        else this.#durable.set(name, value)
        // A cut between the fsync and its return is one of the worlds.
        this.#time.after(1, life, () => this.#time.wake(resolve))
      })
    })
  }

  /** Without an agent: by hand, or by the laptop. */
  put(name: string, value: unknown): void {
    this.#cached.set(name, value)
    this.#durable.set(name, value)
  }

  /** Another disk, in which nothing is written. */
  format(): void {
    this.#cached.clear()
    this.#durable.clear()
  }

  loseUnsynced(): void {
    this.#cached.clear()
    for (const [name, value] of this.#durable) this.#cached.set(name, value)
  }
}
