import type { Note } from './ports.ts'

/** Takes a fault: the journal's half that is about them. */
export type NoteFault = (fault: Note & { readonly kind: 'fault' }) => void

/** The same trouble is told again after so long. @unit milliseconds */
const AGAIN_MS = 3_600_000

/** One subject is not told of more often than this, come and go as it may. @unit milliseconds */
const SHORTEST_GAP_MS = 10_000

interface Told {
  readonly message: string
  readonly atMs: number
  isOver: boolean
}

/**
 * One clear event for each trouble, however often it is met: a round a second, and whoever can reach
 * a port, would otherwise fill the journal.
 */
export class Faults {
  readonly #note: NoteFault
  readonly #now: () => number
  readonly #told = new Map<string, Told>()

  constructor(note: NoteFault, now = () => performance.now()) {
    this.#note = note
    this.#now = now
  }

  /** `what` is one of a few fixed words. What lasts is told by and by, for it is met again. */
  tell(what: string, message: string): void {
    const before = this.#told.get(what)
    const sinceMs = this.#now() - (before?.atMs ?? -Infinity)
    const isKnown = before !== undefined && !before.isOver && before.message === message
    if (sinceMs < (isKnown ? AGAIN_MS : SHORTEST_GAP_MS)) return
    this.#told.set(what, { message, atMs: this.#now(), isOver: false })
    this.#note({ kind: 'fault', what, message })
  }

  /** What was told last, and is not over. */
  said(what: string): string | null {
    const told = this.#told.get(what)
    return told === undefined || told.isOver ? null : told.message
  }

  /** It is well again: the next trouble is a new one. */
  clear(what: string): void {
    const before = this.#told.get(what)
    if (before !== undefined) before.isOver = true
  }
}
