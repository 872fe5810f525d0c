import { messageOf } from '../../core/errors.ts'
import { join } from 'node:path'
import { VERIFIED_FILE } from '../../core/salvage.ts'
import type { Faults } from '../faults.ts'
import { writeDurably } from '../meta_history.ts'
import type { Note } from '../ports.ts'
import type { Content, ReadContent } from './content.ts'
import { forget, readSalvages, type Salvaged, settle, type TableNow } from './folders.ts'
import { waits } from './text.ts'

/** Records of what was settled: the newest ones. */
const RECORDS_KEPT = 10

/** A copy that is not the leader's content yet is compared again so often: both read a whole table. @unit milliseconds */
const COMPARE_AGAIN_MS = 60_000

/** What the keeper is given. */
export interface KeeperParts {
  readonly directory: string
  readonly site: string
  readonly note: (entry: Note) => void
  readonly faults: Pick<Faults, 'tell' | 'clear'>
  /** CLOCK_BOOTTIME. @unit milliseconds */
  readonly now: () => number
  readonly wallTime: () => string
  /** This host follows in a pair, and has settled. */
  readonly mayCompare: () => boolean
  /** The table of now; it changes when a copy takes its place. */
  readonly table: () => Promise<TableNow | null>
  readonly ours: ReadContent
  readonly leaders: () => Promise<Content | null>
}

/** What status says of the salvages of this host. */
export interface SalvageSummary {
  /** Somebody has to look at these. */
  readonly waiting: readonly string[]
  readonly unusable: readonly string[]
}

/**
 * Looks after what was saved of losing branches: what holds nothing but heartbeats, events and status is
 * discarded without a question, and a table's copy is compared with the leader's content, so that the old
 * one may go. It is the agent's routine, and no part of a promotion.
 */
export class SalvageKeeper {
  readonly #parts: KeeperParts
  #compareAt = 0
  #looking = false
  #summary: SalvageSummary = { waiting: [], unusable: [] }

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  summary(): SalvageSummary {
    return this.#summary
  }

  /** Never throws: what goes wrong is a fault, and is tried again. */
  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const { directory, site, faults } = this.#parts
    try {
      const { salvages, unusable } = await readSalvages(directory, site)
      const open = salvages.filter(({ settled }) => settled === null)
      for (const one of open) if (!waits(one.manifest)) await this.#discard(one)
      await this.#forgetOld(salvages.filter(({ settled }) => settled !== null))
      this.#summary = {
        waiting: open.filter(({ manifest }) => waits(manifest)).map(({ name }) => name),
        unusable: unusable.map(({ name }) => name),
      }
      if (salvages.length > 0) await this.#compare()
      faults.clear('salvage')
    } catch (error) {
      faults.tell('salvage', messageOf(error))
    } finally {
      this.#looking = false
    }
  }

  async #discard(salvaged: Salvaged): Promise<void> {
    const { lease, event, status } = salvaged.manifest.counts
    await settle(salvaged, { kind: 'discarded', at: this.#parts.wallTime(), by: 'agent' })
    const words = `only heartbeats (${lease.changes}), events (${event.changes}) and status (${status.changes}): its record stays`
    this.#parts.note({ kind: 'salvage', what: 'discarded', name: salvaged.name, words })
  }

  /** Oldest first. */
  async #forgetOld(settled: readonly Salvaged[]): Promise<void> {
    for (const old of settled.slice(0, Math.max(0, settled.length - RECORDS_KEPT))) {
      await forget(old)
      const words = `the record of a branch that was ${old.settled?.kind}: ${RECORDS_KEPT} newer ones are kept`
      this.#parts.note({ kind: 'salvage', what: 'forgotten', name: old.name, words })
    }
  }

  /** Once a table: what was equal to the leader's then has followed it since. */
  async #compare(): Promise<void> {
    const { mayCompare, table, ours, leaders, now, wallTime, directory } = this.#parts
    if (!mayCompare() || now() < this.#compareAt) return
    const current = await table()
    if (current === null || current.verified) return
    this.#compareAt = now() + COMPARE_AGAIN_MS
    const wanted = await leaders()
    const found = wanted === null ? null : await ours(wanted.revision)
    // Rows that are still on their way, or a compaction: another look tells.
    if (wanted === null || found?.digest !== wanted.digest || !mayCompare()) return
    const { oid } = current
    const verified = { table: oid, at: wallTime(), revision: wanted.revision, digest: found.digest }
    await writeDurably(join(directory, VERIFIED_FILE), `${JSON.stringify(verified)}\n`)
    const words = `the copy is the leader's content at revision ${wanted.revision}: old tables that nobody needs may go`
    this.#parts.note({ kind: 'salvage', what: 'verified', name: `table ${oid}`, words })
  }
}
