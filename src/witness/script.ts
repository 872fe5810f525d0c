import { randomUUID } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import { type Claim, CLAIM_BYTES, CLAIM_FORMAT, parseClaim } from '../pair/claim.ts'
import type { Witness, WitnessRead, WitnessSilent, WitnessSwap } from '../pair/witness.ts'
import { runProgram } from './program.ts'

/** A claim, its version, and what stands around them. @unit bytes */
const MOST_OUTPUT = 2 * CLAIM_BYTES

export interface ScriptPlace {
  readonly command: readonly string[]
  readonly site: string
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** A program of the site's own: `read` or `swap` is its last argument, JSON comes and goes. */
export class ScriptWitness implements Witness {
  readonly #place: ScriptPlace

  constructor(place: ScriptPlace) {
    this.#place = place
  }

  nonce(): string {
    return randomUUID()
  }

  async read(): Promise<WitnessRead> {
    return await this.#answered(async (): Promise<WitnessRead> => {
      const { claim, version } = await this.#ask('read', {})
      if (claim === null) return { kind: 'absent' }
      if (typeof version !== 'string' || version === '') throw new Error('it names no version')
      const text = JSON.stringify(claim)
      return { kind: 'claim', claim: parseClaim(text, this.#place.site), version }
    })
  }

  async swap(next: Claim, over: string | null): Promise<WitnessSwap> {
    return await this.#answered(async (): Promise<WitnessSwap> => {
      const { swapped } = await this.#ask('swap', { next, over })
      if (typeof swapped !== 'boolean') throw new Error('it does not say whether it swapped')
      return { kind: swapped ? 'written' : 'lost' }
    })
  }

  async #ask(verb: 'read' | 'swap', more: object): Promise<Record<string, unknown>> {
    const asked = JSON.stringify({ format: CLAIM_FORMAT, site: this.#place.site, ...more })
    const answer = parseJson(
      await runProgram([...this.#place.command, verb], {
        input: asked,
        timeoutMs: this.#place.timeoutMs,
        mostOutput: MOST_OUTPUT,
      }),
    )
    if (!isObject(answer)) throw new Error('what it says is no JSON object')
    return answer
  }

  async #answered<T>(act: () => Promise<T>): Promise<T | WitnessSilent> {
    try {
      return await act()
    } catch (error) {
      return { kind: 'silent', why: `${this.#place.command[0] ?? ''}: ${messageOf(error)}` }
    }
  }
}
