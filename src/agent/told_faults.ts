import { messageOf } from '../core/errors.ts'
import type { Ports } from './ports.ts'

/** The same fault is told again after so long. @unit milliseconds */
const AGAIN_MS = 60_000

/** One event for what fails in each round: a journal of them would hide what came before. */
export class ToldFaults {
  readonly #ports: Pick<Ports, 'clock' | 'note'>
  /** What was told last of each subject. */
  readonly #last = new Map<string, { readonly message: string; readonly at: number }>()

  constructor(ports: Pick<Ports, 'clock' | 'note'>) {
    this.#ports = ports
  }

  tell(what: string, error: unknown): void {
    const message = messageOf(error)
    const at = this.#ports.clock.now()
    const before = this.#last.get(what)
    if (before?.message === message && at - before.at < AGAIN_MS) return
    this.#last.set(what, { message, at })
    this.#ports.note({ kind: 'fault', what, message })
  }
}
