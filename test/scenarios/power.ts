import type { PeerPower } from '../../src/agent/ports.ts'
import type { PowerAnswer } from '../../src/pair/power.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { Life, VirtualTime } from './virtual_time.ts'

/** Of one command, and of an attempt. @unit milliseconds */
const COMMAND_MS = 3_000
const ATTEMPT_MS = 6_000

/** How long a machine takes to go off, after it was told to. @unit milliseconds */
const OFF_MS = { low: 50, high: 1_500 }

/** The management controllers of both hosts, and the ways to them. */
export class SimPower {
  /** Hosts whose controller takes no request: the mains are gone, say. */
  readonly dead = new Set<string>()
  /** Hosts from which the other one's controller is not reached. */
  readonly cuts = new Set<string>()
  /** They say of every host that it is off. */
  lying = false
  /** Share of the answers that are lost, after what was asked is done. @range 0..1 */
  loss = 0
  /** Added to each way, by chance between nothing and this. @unit milliseconds */
  delayMs = 0
  #era = 0
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #life: Life = { alive: true, frozen: null }

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** All is well again: what was on its way is forgotten, or a host would be powered off for ever. */
  heal(): void {
    this.dead.clear()
    this.cuts.clear()
    this.loss = 0
    this.delayMs = 0
    this.#era++
  }

  /** What a host is given of its peer's. */
  portOf(host: string, peer: Machine, life: Life): PeerPower {
    return {
      commandMs: COMMAND_MS,
      attemptMs: ATTEMPT_MS,
      run: (command, { boundMs, stop }) =>
        new Promise((resolve) => {
          let done = false
          const end = (answer: PowerAnswer) => {
            if (done) return
            done = true
            stop.removeEventListener('abort', stopped)
            this.#time.wake(() => resolve(answer))
          }
          const stopped = () => end({ kind: 'silent', why: 'it is not wanted any more' })
          stop.addEventListener('abort', stopped)
          this.#time.after(boundMs, life, () => end({ kind: 'silent', why: 'no answer' }))
          if (this.cuts.has(host)) return
          const era = this.#era
          this.#time.after(this.#wayMs(), this.#life, () => {
            if (this.dead.has(peer.name) || era !== this.#era) return
            const off = this.lying || !peer.powered
            if (command === 'off') this.#powerOff(peer, era)
            if (this.cuts.has(host) || this.#random.chance(this.loss)) return
            const text = off ? 'off' : 'on'
            this.#time.after(this.#wayMs(), life, () => end({ kind: 'ended', off, text }))
          })
        }),
    }
  }

  #powerOff(peer: Machine, era: number): void {
    if (this.lying) return
    this.#time.after(this.#random.between(OFF_MS.low, OFF_MS.high), this.#life, () => {
      if (era === this.#era) peer.powerOff()
    })
  }

  #wayMs(): number {
    return this.#random.between(20, 200) + this.#random.between(0, this.delayMs)
  }
}
