import type { Holder } from '../engine/lock.ts'
import { processesHolding, signalAll } from '../engine/lock_holders.ts'

/** After the polite signal, as long as a laptop's run may take to end its current change. @unit milliseconds */
export const GRACE_MS = 3_000

/**
 * Holders that are ended in one term. What fails again and again is asked for again and again: a laptop
 * that may be about to mend it must get its turn.
 */
const MOST_IN_A_TERM = 3

/** The agent's right to take the host's lock from whoever has it. */
export class Ousting {
  readonly #lockFile: string
  #term = 0
  #times = 0

  constructor(lockFile: string) {
    this.#lockFile = lockFile
  }

  /** What is done while an urgent converge of this term waits for the lock. */
  inTerm(term: number): (holder: Holder | undefined, elapsedMs: number) => void {
    if (this.#term !== term) {
      this.#term = term
      this.#times = 0
    }
    const isPatient = this.#times >= MOST_IN_A_TERM
    let isFirst = true
    return (holder, elapsedMs) => {
      if (isPatient) return
      if (isFirst) this.#times += 1
      isFirst = false
      oust(this.#lockFile, holder, elapsedMs)
    }
  }

  /** Kills every command that holds the lock's file with us. */
  killCommands(): void {
    signalAll(processesHolding(this.#lockFile), 'SIGKILL', { groups: true })
  }
}

/**
 * Ends who has the lock: politely, so that a laptop's run ends after its current change; after the
 * grace with all that it started, for commands lead groups of their own and hold the lock with it.
 */
function oust(file: string, holder: Holder | undefined, elapsedMs: number): void {
  const all = processesHolding(file)
  if (elapsedMs >= GRACE_MS) return signalAll(all, 'SIGKILL', { groups: true })
  // Whoever wrote its name there may be gone: then it is a command of its own that has the lock.
  const taker = all.filter(({ pid }) => pid === holder?.pid)
  signalAll(taker.length > 0 ? taker : all, 'SIGTERM', { groups: false })
}
