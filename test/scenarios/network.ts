import type { Random } from './random.ts'

/** With so much on each way an answer may come too late to be one. @unit milliseconds */
const SLOW_MS = 200

/** A link that is joined for less may be seen by one of the two alone. @unit milliseconds */
const UNSEEN_MS = 1_500

/** Two hosts and the gateways of the site, with whatever is wrong between them. */
export class Network {
  /** 'h1>h2': nothing gets from the first to the second. */
  readonly cuts = new Set<string>()
  /** Hosts that no gateway answers. */
  readonly gatewayCuts = new Set<string>()
  gatewayDead = false
  /** Added to every way between the hosts. @unit milliseconds */
  delayMs = 0
  /** Share of the packets between the hosts that are lost. @range 0..1 */
  loss = 0
  /** Since when each host has lost its gateways, and its peer; absent: it has not. @unit milliseconds */
  readonly gatewayLostAt = new Map<string, number>()
  peerLostAt: number | null = null
  /** When loss or delay last made each host hear something else. @unit milliseconds */
  blurredAt = -Infinity
  #joinedAt: number | null = -Infinity
  #cutAt = 0
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** One packet. A stream is asked by `open`: it sends again what is lost. */
  passes(from: string, to: string, random = this.#random): boolean {
    return this.open(from, to) && (this.loss === 0 || !random.chance(this.loss))
  }

  open(from: string, to: string): boolean {
    return from === to || !this.cuts.has(`${from}>${to}`)
  }

  bothWays(a: string, b: string): boolean {
    return this.open(a, b) && this.open(b, a)
  }

  wayMs(from: string, to: string, random = this.#random): number {
    return from === to ? 0 : this.delayMs + 1 + random.between(0, 2)
  }

  /** To be told after each change of what is cut: it keeps since when. */
  changed(now: number, hosts: readonly string[]): void {
    for (const host of hosts) {
      if (this.gatewayAnswers(host)) this.gatewayLostAt.delete(host)
      else if (!this.gatewayLostAt.has(host)) this.gatewayLostAt.set(host, now)
    }
    if (this.cuts.size === 0) this.#joinedAt ??= now
    else if (this.#joinedAt !== null) {
      // A join that no look began in was heard by a ping of one of them, or by nobody.
      if (now - this.#joinedAt > UNSEEN_MS) this.#cutAt = now
      this.#joinedAt = null
    }
    this.peerLostAt = this.cuts.size === 0 ? null : this.#cutAt
    if (this.loss > 0 || this.delayMs > SLOW_MS) this.blurredAt = now
  }

  gatewayAnswers(host: string): boolean {
    return !this.gatewayDead && !this.gatewayCuts.has(host)
  }
}
