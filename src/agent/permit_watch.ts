import type { HostMeta } from '../pair/host_meta.ts'
import type { Ports } from './ports.ts'

/** What the agent says of its role. */
interface Watched {
  readonly meta: HostMeta | null
  /** Its role is converged, or is about to be. */
  readonly isSettled: boolean
  settleFailed(how: 'failed'): void
  fault(what: string, error: unknown): void
}

/** A kine that is changed for another takes less; it is rare otherwise. @unit milliseconds */
const ASTRAY_MS = 5_000

/**
 * What kine may do and does, while the agent runs. A role converge writes its permit, and only what stops
 * kine takes it away. Gone, or of another role, it is no role that is settled: kine would not start again,
 * nor would the guard stop the one that runs (B9). Nor is it one with a kine that was started before its
 * file named the database that it names now.
 */
export class PermitWatch {
  readonly #state: Watched
  readonly #ports: Pick<Ports, 'store' | 'kine' | 'clock'>
  #lookAt = 0
  #astray: readonly string[] = []
  /** Once for each: what a converge does not mend is not converged for ever. */
  #told: readonly string[] = []

  constructor(state: Watched, ports: Pick<Ports, 'store' | 'kine' | 'clock'>) {
    this.#state = state
    this.#ports = ports
  }

  async look(): Promise<void> {
    const { meta, isSettled } = this.#state
    if (meta === null || !isSettled) return
    if (await this.#ports.store.isPermitted(meta))
      // Not waited for: kine's file lies on a disk.
      return void this.#lookAtKine(meta).catch((error: unknown) => this.#state.fault('kine', error))
    this.#converge(meta, 'permit', "kine's permit is gone or of another role")
  }

  /** One look at a time. */
  async #lookAtKine(meta: HostMeta): Promise<void> {
    const now = this.#ports.clock.now()
    if (now < this.#lookAt) return
    this.#lookAt = Infinity
    try {
      this.#judge(meta, await this.#ports.kine.astray())
    } finally {
      this.#lookAt = now + ASTRAY_MS
    }
  }

  /** Two looks in a row: one may have fallen between the file and what is started by it. */
  #judge(meta: HostMeta, astray: readonly string[]): void {
    const before = this.#astray
    this.#astray = astray
    this.#told = this.#told.filter((name) => this.#astray.includes(name))
    const lasting = this.#astray.filter((name) => before.includes(name))
    if (lasting.every((name) => this.#told.includes(name))) return
    this.#told = lasting
    this.#converge(meta, 'kine', 'kine uses another database than its file names')
  }

  #converge(meta: HostMeta, what: string, why: string): void {
    // Settled anew meanwhile, or unsettled: what was read is of the time before.
    if (this.#state.meta !== meta || !this.#state.isSettled) return
    this.#state.fault(what, `${why}: the role is converged`)
    this.#state.settleFailed('failed')
  }
}
