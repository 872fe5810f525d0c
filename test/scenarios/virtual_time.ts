/**
 * One clock for two hosts, a network and their clients. Nothing happens but events, in the order of
 * their times; those of one instant in the order in which they were asked for.
 */

/** Something that can end or be stopped for a while, and takes its pending events with it. */
export interface Life {
  alive: boolean
  /** Non-null: its events wait here for the thaw. */
  frozen: Event[] | null
}

interface Event {
  at: number
  readonly order: number
  readonly life: Life
  readonly act: () => void
}

export class VirtualTime {
  now = 0
  /** Set by whoever resolves a promise that an agent may wait for: its turn comes before the next event. */
  #awaited = false
  #failure: Error | null = null
  #order = 0
  readonly #heap: Event[] = []

  after(ms: number, life: Life, act: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, life, act })
  }

  /** Resolves in `ms`, unless its life ends before: then never. */
  sleep(ms: number, life: Life): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, life, () => this.wake(resolve))
    })
  }

  /** Calls something that lets an agent go on, and gives it its turn. */
  wake(resolve: () => void): void {
    this.#awaited = true
    resolve()
  }

  /** Ends the run, whoever catches what is thrown meanwhile. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  thaw(life: Life): void {
    const held = life.frozen ?? []
    life.frozen = null
    for (const event of held) this.#push({ ...event, at: this.now, order: this.#order++ })
  }

  /** Runs the events up to `until`. @throws what an event throws: an invariant that does not hold */
  async runTo(until: number): Promise<void> {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.at > until) break
      this.#pop()
      if (!next.life.alive) continue
      this.now = next.at
      if (next.life.frozen !== null) {
        next.life.frozen.push(next)
        continue
      }
      next.act()
      if (!this.#awaited) continue
      this.#awaited = false
      // All that waits for promises runs to its next wait before this turn of the event loop ends.
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#failure !== null) throw this.#failure
    }
    this.now = until
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, event)) break
      heap[at] = above
      heap[parent] = event
      at = parent
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, left)) child++
      const smaller = heap[child] as Event
      if (isBefore(last, smaller)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at
}
