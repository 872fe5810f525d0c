import type { HostMeta } from '../pair/host_meta.ts'
import { atTime, CALM, type FlapGuard, isChange, kept, withChange } from '../pair/flap_guard.ts'
import type { Ports } from './ports.ts'

/** The flap guard of this host, over restarts of its agent. */
export class Flaps {
  #guard: FlapGuard = CALM
  readonly #ports: Pick<Ports, 'clock' | 'store'>
  readonly #fault: (what: string, error: unknown) => void

  constructor(
    ports: Pick<Ports, 'clock' | 'store'>,
    fault: (what: string, error: unknown) => void,
  ) {
    this.#ports = ports
    this.#fault = fault
  }

  async load(): Promise<void> {
    const { clock, store } = this.#ports
    const changes = await store.readChanges()
    this.#guard = kept(changes, { wall: Date.parse(clock.wallTime()), now: clock.now() })
  }

  /** As it was judged last. */
  get frozen(): boolean {
    return this.#guard.frozen
  }

  /** By the clock's word. */
  frozenNow(): boolean {
    this.#guard = atTime(this.#guard, this.#ports.clock.now())
    return this.#guard.frozen
  }

  /** hostMeta was written. */
  count(before: HostMeta | null, next: HostMeta): void {
    if (!isChange(before, next)) return
    const { frozen } = this.#guard
    this.#guard = withChange(this.#guard, this.#ports.clock.now())
    const why = `${this.#guard.changes.length} changes in an hour: frozen until an operator thaws it, or an hour was calm`
    if (this.#guard.frozen && !frozen) this.#fault('flap guard', why)
    this.#keep()
  }

  thaw(): void {
    this.#guard = CALM
    this.#keep()
  }

  /** For the next agent only: a disk that can't take it stops nothing. */
  #keep(): void {
    const { clock, store } = this.#ports
    const wall = Date.parse(clock.wallTime())
    const changes = this.#guard.changes.map((at) => wall - (clock.now() - at))
    store.writeChanges(changes).catch((error: unknown) => this.#fault('changes', error))
  }
}
