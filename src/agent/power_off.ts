import { type Attempt, type PowerAnswer, powerStep } from '../pair/power.ts'
import {
  POWER_AGAIN_MAX_MS,
  POWER_AGAIN_MS,
  POWER_LIE_MS,
  POWER_LOOK_MS,
  POWER_STATUS_MS,
  TOLD_AGAIN_MS,
} from '../pair/timing.ts'
import type { Ports } from './ports.ts'

/** What it said before it was told to power off counts no more. */
const NOT_SEEN_SINCE: PowerAnswer = { kind: 'ended', off: false, text: '' }

/** What a power-off knows of its host. */
interface Powering {
  /** The peer's agent answers, in the last look. */
  readonly hearsPeer: boolean
  /** When anything of the peer was last heard. */
  readonly peerHeardAt: number
  fault(what: string, error: unknown): void
}

export type PoweredOff = { readonly off: true } | { readonly off: false; readonly why: string }

/** What the management controller last said, for people. */
export interface PowerStanding {
  readonly answers: boolean
  readonly text: string
}

/**
 * This host's dealings with the power of its peer: off, and seen to be, before this host leads alone; and
 * asked after now and then while all is well, so that a controller that is silent, or means another
 * machine, is known before it is needed.
 */
export class PowerOffs {
  readonly #host: Powering
  readonly #ports: Pick<Ports, 'clock' | 'note' | 'power'>
  standing: PowerStanding | null = null
  #heldUntil = 0
  #failures = 0
  /** It calls a host off that answers. */
  #lied = false
  /** It said "off" of a peer that had answered: whoever hears that one within the next rounds knows that it lies. */
  #doubt: { readonly askedAt: number; readonly text: string } | null = null
  #isBusy = false
  #lookAt = 0
  #told = { message: '', at: -Infinity }

  constructor(host: Powering, ports: Pick<Ports, 'clock' | 'note' | 'power'>) {
    this.#host = host
    this.#ports = ports
  }

  /** The last attempt proved nothing, and the next is not due yet. */
  get isHeld(): boolean {
    return this.#ports.clock.now() < this.#heldUntil
  }

  /** Powers the peer off and waits, within its bound, until it is seen to be. */
  async off(stop: AbortSignal): Promise<PoweredOff> {
    const { clock, note, power } = this.#ports
    if (power === null) return { off: false, why: 'the site has no fencing' }
    const began = clock.now()
    const end = began + power.attemptMs
    let status: PowerAnswer | null = null
    let ordered: PowerAnswer | null = null
    let askedAt = began
    for (;;) {
      const now = clock.now()
      const heard = this.#host.peerHeardAt >= askedAt
      const attempt: Attempt = { status, ordered, heard, lied: this.#lied, over: now >= end }
      const { id, step, why } = powerStep(attempt)
      if (step === 'proven' || step === 'no proof') {
        const words = step === 'proven' ? why : wordsOf(why, ordered, status)
        note({ kind: 'power-off', row: id, proven: step === 'proven', words, ms: now - began })
        if (step === 'proven') {
          this.#failures = 0
          return { off: true }
        }
        const pause = POWER_AGAIN_MS * 2 ** this.#failures
        this.#heldUntil = now + Math.min(pause, POWER_AGAIN_MAX_MS)
        this.#failures = Math.min(this.#failures + 1, 10)
        this.#tell(words)
        return { off: false, why: words }
      }
      if (id === 'again') await clock.sleep(POWER_STATUS_MS, stop)
      if (stop.aborted) return { off: false, why: 'it is not wanted any more' }
      askedAt = clock.now()
      const boundMs = Math.max(1, Math.min(power.commandMs, end - askedAt))
      const answer = await power.run(step, { boundMs, stop })
      if (stop.aborted) return { off: false, why: 'it is not wanted any more' }
      if (step === 'status') status = answer
      else [ordered, status] = [answer, NOT_SEEN_SINCE]
    }
  }

  /** A round begins: asks after a peer that answers, now and then. Never waited for. */
  keep(): void {
    const { clock, power } = this.#ports
    this.#findLie()
    if (power === null || this.#isBusy || !this.#host.hearsPeer || clock.now() < this.#lookAt)
      return
    this.#isBusy = true
    this.#lookAt = clock.now() + POWER_LOOK_MS
    const askedAt = clock.now()
    void power
      .run('status', { boundMs: power.commandMs, stop: new AbortController().signal })
      .then((answer) => this.#learn(answer, askedAt))
      .finally(() => (this.#isBusy = false))
  }

  #learn(answer: PowerAnswer, askedAt: number): void {
    if (answer.kind === 'silent') {
      this.#lookAt = this.#ports.clock.now() + POWER_AGAIN_MS
      return this.#tell(answer.why)
    }
    const { off, text } = answer
    this.#doubt = off ? { askedAt, text } : null
    if (off) return
    this.#lied = false
    this.#failures = 0
    this.standing = { answers: true, text }
    this.#told = { message: '', at: -Infinity }
  }

  #findLie(): void {
    if (this.#doubt === null) return
    const { askedAt, text } = this.#doubt
    const isHeard = this.#host.peerHeardAt > askedAt
    if (!isHeard && this.#ports.clock.now() - askedAt < POWER_LIE_MS) return
    this.#doubt = null
    if (!isHeard) return
    this.#lied = true
    this.#tell(`it says that the other host is off, which answers: ${text}`)
  }

  #tell(why: string): void {
    const now = this.#ports.clock.now()
    this.standing = { answers: false, text: why }
    if (this.#told.message === why && now - this.#told.at < TOLD_AGAIN_MS) return
    this.#told = { message: why, at: now }
    this.#host.fault('fencing', why)
  }
}

function wordsOf(why: string, ...answers: readonly (PowerAnswer | null)[]): string {
  const silent = answers.find((answer) => answer?.kind === 'silent')
  return silent?.kind === 'silent' ? `${why}: ${silent.why}` : why
}
