import type { Witness, WitnessRead, WitnessSwap } from '../../src/agent/ports.ts'
import type { Claim } from '../../src/pair/claim.ts'
import type { Random } from './random.ts'
import type { Life, VirtualTime } from './virtual_time.ts'

/** A request to the witness ends after this. @unit milliseconds */
const BOUND_MS = 1_000

/** A third machine that keeps one object, and the ways to it. */
export class SimWitness {
  claim: Claim | null = null
  /** It takes no request. */
  dead = false
  /** It answers without looking at what is asked, and says yes: what no real one may do. */
  lying = false
  readonly cuts = new Set<string>()
  /** Share of the answers that are lost, after what was asked is done. @range 0..1 */
  loss = 0
  /** Added to each way, by chance between nothing and this. @unit milliseconds */
  delayMs = 0
  #version = 0
  #nonces = 0
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #life: Life = { alive: true, frozen: null }

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** What a host is given of it. */
  portOf(host: string, life: Life): Witness {
    return {
      nonce: () => `${host}-${++this.#nonces}`,
      read: () =>
        this.#request<WitnessRead>(host, life, () =>
          this.claim === null
            ? { kind: 'absent' }
            : { kind: 'claim', claim: this.claim, version: String(this.#version) },
        ),
      swap: (next, over) => this.#request<WitnessSwap>(host, life, () => this.#swap(next, over)),
    }
  }

  #swap(next: Claim, over: string | null): WitnessSwap {
    const now = this.claim === null ? null : String(this.#version)
    if (over !== now && !this.lying) return { kind: 'lost' }
    this.claim = next
    this.#version++
    return { kind: 'written' }
  }

  /** What is on its way arrives, and is done, whether or not somebody still waits for it. */
  #request<T extends object>(
    host: string,
    life: Life,
    act: () => T,
  ): Promise<T | { readonly kind: 'silent'; readonly why: string }> {
    return new Promise((resolve) => {
      let done = false
      const end = (answer: T | { readonly kind: 'silent'; readonly why: string }) => {
        if (done) return
        done = true
        this.#time.wake(() => resolve(answer))
      }
      this.#time.after(BOUND_MS, life, () => end({ kind: 'silent', why: 'no answer' }))
      if (this.cuts.has(host)) return
      this.#time.after(this.#wayMs(), this.#life, () => {
        if (this.dead) return
        const answer = act()
        if (this.cuts.has(host) || this.#random.chance(this.loss)) return
        this.#time.after(this.#wayMs(), life, () => end(answer))
      })
    })
  }

  #wayMs(): number {
    return this.#random.between(1, 3) + this.#random.between(0, this.delayMs)
  }
}
