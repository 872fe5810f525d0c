import { compareHostMeta, type HostMeta } from '../pair/host_meta.ts'
import type { Gate } from './gate.ts'
import type { Store } from './ports.ts'

/** The agent's own idea of hostMeta. */
interface Watched {
  readonly gate: Gate
  readonly meta: HostMeta | null
  readonly metaDoubtful: boolean
  take(meta: HostMeta): void
  fault(what: string, error: unknown): void
}

type OnDisk = Awaited<ReturnType<Store['readMeta']>>

/** hostMeta's file, while the agent runs: others may write it, or break it. */
export class MetaWatch {
  readonly #state: Watched
  readonly #store: Pick<Store, 'readMeta' | 'writeMeta'>
  #isLooking = false
  /** What was wrong with the file when it was last looked at; told once. */
  #fault: string | null = null

  constructor(state: Watched, store: Pick<Store, 'readMeta' | 'writeMeta'>) {
    this.#state = state
    this.#store = store
  }

  /** What a start has found, and told. */
  begin(fault: string | null): void {
    this.#fault = fault
  }

  /** One look at a time. */
  async look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const found = await this.#store.readMeta()
      await this.#mend(found)
      await this.#notice(found)
    } finally {
      this.#isLooking = false
    }
  }

  /**
   * A laptop may write hostMeta while this agent runs: a host's first, or the first pairing. What is
   * higher counts as it would after a start. Nothing else does: names and addresses come with the site
   * file, which starts the agent anew, and what is lower would undo what was decided since.
   */
  async #notice(before: OnDisk): Promise<void> {
    if (!this.#isNews(before)) return
    await this.#state.gate.run(async () => {
      const found = await this.#store.readMeta()
      // What was being written by us is no news any more.
      if (this.#isNews(found)) this.#state.take(found.meta)
    })
  }

  #isNews(found: OnDisk): found is OnDisk & { readonly meta: HostMeta } {
    if (found.meta === null || found.fault !== null) return false
    return this.#state.meta === null || compareHostMeta(found.meta, this.#state.meta) > 0
  }

  /**
   * A file that is damaged while this agent runs takes nothing from what the agent knows: it is put
   * back, or the next boot would have to doubt an older version.
   */
  async #mend({ fault }: OnDisk): Promise<void> {
    if (fault === this.#fault) return
    this.#fault = fault
    if (fault === null) return
    this.#state.fault('hostMeta', fault)
    await this.#state.gate.run(async () => {
      const { meta, metaDoubtful } = this.#state
      const { fault: stillThere } = await this.#store.readMeta()
      if (meta !== null && !metaDoubtful && stillThere !== null) await this.#store.writeMeta(meta)
    })
  }
}
