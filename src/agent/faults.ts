import type { Note } from './ports.ts'

/** Takes a fault: the journal's half that is about them. */
export type NoteFault = (fault: Note & { readonly kind: 'fault' }) => void

/** The same trouble is told again after so long. @unit milliseconds */
const AGAIN_MS = 3_600_000

/** Whatever its words are, one subject is not told of more often than this. @unit milliseconds */
const SHORTEST_GAP_MS = 1_000

/**
 * One clear event for each trouble, however often it is met: a round a second, and whoever can reach
 * a port, would otherwise fill the journal.
 */
export class Faults {
  readonly #note: NoteFault
  readonly #told = new Map<string, { readonly message: string; readonly atMs: number }>()

  constructor(note: NoteFault) {
    this.#note = note
  }

  /** `what` is one of a few fixed words. */
  tell(what: string, message: string): void {
    const before = this.#told.get(what)
    const sinceMs = performance.now() - (before?.atMs ?? -Infinity)
    if (sinceMs < (before?.message === message ? AGAIN_MS : SHORTEST_GAP_MS)) return
    this.#told.set(what, { message, atMs: performance.now() })
    this.#note({ kind: 'fault', what, message })
  }

  /** It is well again: the next trouble is a new one. */
  clear(what: string): void {
    this.#told.delete(what)
  }
}
