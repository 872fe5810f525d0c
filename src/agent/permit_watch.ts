import type { HostMeta } from '../pair/host_meta.ts'
import type { Store } from './ports.ts'

/** What the agent says of its role. */
interface Watched {
  readonly meta: HostMeta | null
  /** Its role is converged, or is about to be. */
  readonly isSettled: boolean
  settleFailed(how: 'failed'): void
  fault(what: string, error: unknown): void
}

/**
 * kine's permit, while the agent runs. A role converge writes it, and only what stops kine takes it away.
 * Gone, or of another role, it is no role that is settled: kine would not start again, nor would the
 * guard stop the one that runs (B9).
 */
export class PermitWatch {
  readonly #state: Watched
  readonly #store: Pick<Store, 'isPermitted'>

  constructor(state: Watched, store: Pick<Store, 'isPermitted'>) {
    this.#state = state
    this.#store = store
  }

  async look(): Promise<void> {
    const { meta, isSettled } = this.#state
    if (meta === null || !isSettled) return
    if (await this.#store.isPermitted(meta)) return
    // Settled anew meanwhile, or unsettled: what was read is of the time before.
    if (this.#state.meta !== meta || !this.#state.isSettled) return
    this.#state.fault('permit', "kine's permit is gone or of another role: the role is converged")
    this.#state.settleFailed('failed')
  }
}
