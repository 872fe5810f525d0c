import { Refusals, TwonodeError, type ErrorKind } from '../core/errors.ts'
import type { Place } from '../core/place.ts'

/**
 * Bound of what one pass reports: past this many, the cause is one and the list is noise.
 * @unit problems
 */
const MOST_PROBLEMS = 100

/** Collects what is wrong with the input, so that a user hears of all of it at once. */
export class Problems {
  readonly #found = new Map<string, TwonodeError>()

  /** The same problem at the same place, found once for each host, counts once. */
  add(kind: ErrorKind, message: string, place: Place, hint?: string): void {
    const error = new TwonodeError(kind, message, hint === undefined ? { place } : { place, hint })
    this.take(error)
  }

  take(error: TwonodeError): void {
    const key = JSON.stringify([error.code, error.message, error.place])
    if (this.#found.size < MOST_PROBLEMS) this.#found.set(key, error)
  }

  /** Runs `act`; what it refuses is collected, and undefined comes back. */
  collect<T>(act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      if (error instanceof Refusals) for (const one of error.all) this.take(one)
      else if (error instanceof TwonodeError) this.take(error)
      else throw error
      return undefined
    }
  }

  get count(): number {
    return this.#found.size
  }

  /** @throws Refusals with all problems in the order of their places, if there is any. */
  throwIfAny(): void {
    if (this.#found.size > 0) throw new Refusals([...this.#found.values()].toSorted(byPlace))
  }
}

function byPlace(a: TwonodeError, b: TwonodeError): number {
  if (a.place === undefined || b.place === undefined) return 0
  return (
    a.place.file.localeCompare(b.place.file) ||
    a.place.line - b.place.line ||
    a.place.column - b.place.column
  )
}
