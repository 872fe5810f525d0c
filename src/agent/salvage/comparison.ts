import { messageOf } from '../../core/errors.ts'
import type { Faults } from '../faults.ts'
import type { Content, ReadContent } from './content.ts'

/** How a follower's table compares with its leader's; unknown: it could not be told now. */
export type Likeness = 'same' | 'differs' | 'unknown'

/** An hour after the agent has started, and then once a day: both hosts read a whole table. @unit milliseconds */
const FIRST_MS = 3_600_000
const EVERY_MS = 24 * FIRST_MS

/**
 * A row may commit behind one of a higher number, and is on one host for a moment: only what differs
 * again and again differs. A follower that is no copy costs another copy, so there it is asked longer.
 */
const LOOKS = 3
const ASKED_AGAIN_MS = 1_000
const SURE_AGAIN_MS = 10_000

/** What a comparison is given; all of it is the leader's. */
export interface ComparisonParts {
  /** CLOCK_BOOTTIME, and a sleep by it. */
  readonly clock: { readonly now: () => number; readonly sleep: (ms: number) => Promise<unknown> }
  readonly faults: Pick<Faults, 'tell' | 'clear'>
  /** The slot of the follower of a pair that this host leads; null: there is none to compare with. */
  readonly slot: () => string | null
  readonly ours: ReadContent
  readonly followers: () => Promise<Content | null>
  /** The follower by this slot is no copy: it is to give up its proof, and to copy. */
  readonly differs: (slot: string) => void
}

/**
 * A follower's disk may lose what nobody changes, and neither replication nor a write notices. The leader
 * of a pair compares all live rows while both go on, by and by and when it is asked (A7).
 */
export class Comparison {
  readonly #parts: ComparisonParts
  #dueAt: number
  #looking = false

  constructor(parts: ComparisonParts) {
    this.#parts = parts
    this.#dueAt = parts.clock.now() + FIRST_MS
  }

  /** For who asks: it changes nothing by itself, and what differs is looked at again at once. */
  async ask(): Promise<Likeness> {
    const found = await this.#often(ASKED_AGAIN_MS)
    if (found === 'differs') this.#dueAt = this.#parts.clock.now()
    return found
  }

  /** The agent's routine: never throws, and resolves when this look is over. */
  async look(): Promise<void> {
    const { clock, slot, faults, differs } = this.#parts
    const of = slot()
    if (this.#looking || of === null || clock.now() < this.#dueAt) return
    this.#looking = true
    this.#dueAt = clock.now() + EVERY_MS
    try {
      const found = await this.#often(SURE_AGAIN_MS)
      if (found === 'same') faults.clear('comparison')
      if (found !== 'differs' || slot() !== of) return
      faults.tell(
        'comparison',
        "the follower's table is not this one's: it is copied anew, and its own kept aside",
      )
      differs(of)
    } catch (error) {
      faults.tell('comparison', `the tables can not be compared: ${messageOf(error)}`)
    } finally {
      this.#looking = false
    }
  }

  /** The first look that does not say that they differ is believed. */
  async #often(againMs: number): Promise<Likeness> {
    for (let look = 1; ; look += 1) {
      const found = await this.#once()
      if (found !== 'differs' || look === LOOKS) return found
      await this.#parts.clock.sleep(againMs)
    }
  }

  async #once(): Promise<Likeness> {
    const { slot, ours, followers } = this.#parts
    const of = slot()
    const theirs = of === null ? null : await followers()
    if (theirs === null) return 'unknown'
    const own = await ours(theirs.revision)
    // A compaction beyond it, or another follower meanwhile: nobody can tell any more.
    if (own === null || slot() !== of) return 'unknown'
    return own.digest === theirs.digest ? 'same' : 'differs'
  }
}
