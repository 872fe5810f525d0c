import { isObject } from '../core/json.ts'
import type { Facts } from '../pair/facts.ts'
import { READS_LOOK_MS, READS_RETRY_MS } from '../pair/timing.ts'
import { type Act, converge } from './acting.ts'
import type { ConvergeOutcome } from './ports.ts'

/**
 * Whether what a waiting leader has can be read on it (A5), as far as this agent knows. After a cold start
 * only: k3s that has run since goes on, for the host's pods are its kubelet's.
 */
export class Reads {
  #coldStart = true
  #served = false
  #lookAt = 0

  standing(now: number): Facts['reads'] {
    if (!this.#coldStart) return 'not-served'
    if (now >= this.#lookAt) return 'due'
    return this.#served ? 'served' : 'not-served'
  }

  /** The role is settled, and k3s runs. */
  settled(): void {
    this.#coldStart = false
  }

  /** What was served is ended by whatever comes now. */
  ended(): void {
    this.#served = false
    this.#lookAt = 0
  }

  /** An agent that is new may find k3s running. */
  looked(outcome: ConvergeOutcome, now: number): void {
    this.#served = outcome.kind === 'done' && isThere(outcome.registered['reads'])
    this.#lookAt = now + (outcome.kind === 'done' ? READS_LOOK_MS : READS_RETRY_MS)
  }
}

/** Behind the fence, which the converge looks at first (B8). */
export async function serveReads(act: Act): Promise<boolean> {
  const { state, ports } = act
  const outcome = await converge(act)
  // Whatever ended it ends what it had begun, too.
  if (outcome.kind === 'stopped') return false
  state.reads.looked(outcome, ports.clock.now())
  return outcome.kind === 'done'
}

function isThere(registered: unknown): boolean {
  return isObject(registered) && registered['skipped'] !== true
}
