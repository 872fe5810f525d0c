import { messageOf } from '../core/errors.ts'
import { type Claim, claimText, contested, keeping, owesClaim, taking } from '../pair/claim.ts'
import type { Facts } from '../pair/facts.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import {
  CLAIM_AGAIN_MS,
  CLAIM_LOOK_MS,
  CLAIM_TAKE_MS,
  TOLD_AGAIN_MS,
  type Timing,
} from '../pair/timing.ts'
import { Gate } from './gate.ts'
import type { Ports, Witness } from './ports.ts'

/** Swaps in one attempt. More are lost only to a host that swaps as often, and then one has won. */
const MOST_SWAPS = 3

/** The longest pause between two tries of the background. @unit milliseconds */
const LONGEST_PAUSE_MS = 60_000

/** What the claims know of their host. */
interface Claiming {
  readonly self: string
  readonly meta: HostMeta | null
  readonly settings: { readonly timing: Timing }
  facts(asked: null): Facts
  /** The highest term that either host has spoken of, or whose proof was voided; of no claim. */
  readonly spokenTerm: number
  fault(what: string, error: unknown): void
}

export type Taken =
  | { readonly kind: 'won'; readonly term: number }
  /** `held`: the other host has won it, and may have used it. */
  | { readonly kind: 'refused'; readonly why: string; readonly held: boolean }
  /** No answer that can be relied on: never a win. */
  | { readonly kind: 'silent'; readonly why: string }

/** What the witness last said, for people. */
export interface WitnessStanding {
  readonly answers: boolean
  /** Its trouble, or what it keeps. */
  readonly text: string
  /** By this host's clock. @unit milliseconds */
  readonly at: number
}

/**
 * This host's dealings with the claim (A4): won before it leads alone, and kept true beside everything
 * else. One at a time, or the background would give back what was won and is about to be used.
 */
export class Claims {
  readonly #gate = new Gate()
  readonly #host: Claiming
  readonly #ports: Pick<Ports, 'clock' | 'note' | 'witness'>
  /**
   * Of the swap that was sent last, if it was one that takes the claim: whose answer was lost, and who
   * reads it at the next attempt, has won, for nothing of ours that gives it up can be on its way.
   */
  #nonce: string | null = null
  /** The highest term that a claim was seen with: none that we write is not above it. */
  highestTerm = 0
  standing: WitnessStanding | null = null
  /** Of the hostMeta for which it was refused. */
  #barredFor: HostMeta | null = null
  #contest: string | null = null
  #isBusy = false
  #lookAt = 0
  #failures = 0
  #lookedFor: HostMeta | null = null
  #told = { message: '', at: -Infinity }

  constructor(host: Claiming, ports: Pick<Ports, 'clock' | 'note' | 'witness'>) {
    this.#host = host
    this.#ports = ports
  }

  /** It was refused, and no look since has found that it may be had. Silence is tried again each round. */
  get isBarred(): boolean {
    return this.#barredFor !== null && this.#barredFor === this.#host.meta
  }

  /**
   * Wins the claim, and has it used before anything else is done with it: `use` writes hostMeta with
   * exactly this term, or does not. False: it was not won, or not used.
   */
  async withClaim(
    { forced, stop }: { readonly forced: boolean; readonly stop: AbortSignal },
    use: (taken: Taken) => Promise<boolean>,
  ): Promise<boolean> {
    return await this.#gate.run(async () => {
      const taken = await this.#take(forced, stop)
      this.#lookAt = taken.kind === 'won' ? 0 : this.#ports.clock.now() + CLAIM_AGAIN_MS
      if (taken.kind === 'refused') this.#bar(taken.why)
      const isUsed = await use(taken)
      if (isUsed) this.#nonce = null
      return isUsed
    })
  }

  /** A round begins: looks at the claim now and then, and writes what is true. Never waited for. */
  keep(): void {
    const { clock, witness } = this.#ports
    const { meta } = this.#host
    const isNews = meta !== this.#lookedFor && this.#failures === 0
    if (witness === null || this.#isBusy || meta === null) return
    if (clock.now() < this.#lookAt && !isNews) return
    this.#isBusy = true
    this.#lookedFor = meta
    void this.#gate
      .run(async () => await this.#look(witness))
      .catch((error: unknown) => this.#trouble(messageOf(error)))
      .finally(() => (this.#isBusy = false))
  }

  async #take(forced: boolean, stop: AbortSignal): Promise<Taken> {
    const { clock, witness } = this.#ports
    if (witness === null) return { kind: 'silent', why: 'the site has no witness' }
    const began = clock.now()
    for (let swaps = 0; ; swaps++) {
      const { meta, self, spokenTerm } = this.#host
      const nonce = (this.#nonce ??= witness.nonce())
      const read = await unlessStopped(witness.read(), stop)
      if (read === null || meta === null)
        return { kind: 'silent', why: 'it is not wanted any more' }
      if (read.kind === 'silent') return this.#silent(read.why)
      if (read.kind === 'absent')
        return this.#silent(
          'it keeps no claim of this site: only a leader that is paired makes one',
        )
      this.#answered(read.claim)
      const { claim, version } = read
      if (claim.nonce === nonce && claim.term > Math.max(meta.term, spokenTerm))
        return { kind: 'won', term: claim.term }
      const verdict = taking(claim, { self, meta, highestTerm: spokenTerm, nonce, forced })
      if (verdict.kind === 'refused')
        return { kind: 'refused', why: verdict.why, held: verdict.row === 'held-by-other' }
      if (swaps === MOST_SWAPS || clock.now() - began >= CLAIM_TAKE_MS)
        return this.#silent('it took no claim, and gave no other one')
      // Whatever it answers, what it keeps then is what counts.
      if ((await unlessStopped(witness.swap(verdict.next, version), stop)) !== null)
        this.#note(verdict.row, verdict.next)
    }
  }

  async #look(witness: Witness): Promise<void> {
    const { clock } = this.#ports
    const read = await witness.read()
    if (read.kind === 'silent') return this.#trouble(read.why)
    const claim = read.kind === 'claim' ? read.claim : null
    if (claim !== null) this.#answered(claim)
    if (claim !== null) this.#unbar(claim)
    const facts = this.#host.facts(null)
    this.#tellContest(claim === null ? null : contested(claim, facts))
    const wanted = keeping(claim, facts, witness.nonce())
    if (wanted === null) {
      if (claim === null) return this.#trouble('it keeps no claim of this site')
      const { meta } = this.#host
      const isTrue = claim.term === meta?.term && claim.holder === meta.leader
      this.#lookAt = clock.now() + (isTrue ? CLAIM_LOOK_MS : CLAIM_AGAIN_MS)
      this.#failures = 0
      return
    }
    this.#note(wanted.row, wanted.next)
    this.#nonce = null
    const swapped = await witness.swap(wanted.next, read.kind === 'claim' ? read.version : null)
    if (swapped.kind === 'silent') return this.#trouble(swapped.why)
    // Written or lost: the next round reads what became of it.
    this.#lookAt = clock.now() + this.#host.settings.timing.intervalMs
  }

  #answered(claim: Claim): void {
    this.highestTerm = Math.max(this.highestTerm, claim.term)
    this.standing = { answers: true, text: claimText(claim), at: this.#ports.clock.now() }
    this.#told = { message: '', at: -Infinity }
  }

  #silent(why: string): Taken {
    this.#tell(why)
    return { kind: 'silent', why }
  }

  /** The background has failed: it comes again, more and more seldom. */
  #trouble(why: string): void {
    this.#tell(why)
    const { intervalMs } = this.#host.settings.timing
    this.#failures = Math.min(this.#failures + 1, 10)
    // Until it says that this host leads the other one may still win it.
    const longestMs = owesClaim(this.#host, this.highestTerm) ? CLAIM_AGAIN_MS : LONGEST_PAUSE_MS
    const pause = Math.min(intervalMs * 2 ** this.#failures, longestMs)
    this.#lookAt = this.#ports.clock.now() + pause
  }

  #tell(why: string): void {
    const now = this.#ports.clock.now()
    this.standing = { answers: false, text: why, at: now }
    const isKnown = this.#told.message === why && now - this.#told.at < TOLD_AGAIN_MS
    if (isKnown) return
    this.#told = { message: why, at: now }
    this.#host.fault('witness', why)
  }

  #bar(why: string): void {
    this.#barredFor = this.#host.meta
    this.#failures = 0
    this.#host.fault('claim', why)
  }

  /** Once for each: it stays so until they hear each other. */
  #tellContest(words: string | null): void {
    if (words !== null && words !== this.#contest) this.#host.fault('claim', words)
    this.#contest = words
  }

  #unbar(claim: Claim): void {
    const { meta, self, spokenTerm } = this.#host
    if (meta === null) return
    const by = { self, meta, highestTerm: spokenTerm, nonce: '', forced: false }
    if (taking(claim, by).kind !== 'refused') this.#barredFor = null
  }

  #note(row: string, { term, holder, mode }: Claim): void {
    this.#ports.note({ kind: 'claim', row, term, holder, mode })
  }
}

/** Null: something more pressing came first. What was asked may come about all the same: see taking. */
async function unlessStopped<T>(answer: Promise<T>, stop: AbortSignal): Promise<T | null> {
  if (stop.aborted) return null
  const over = new AbortController()
  const stopped = new Promise<null>((resolve) => {
    stop.addEventListener('abort', () => resolve(null), { signal: over.signal })
  })
  try {
    return await Promise.race([answer, stopped])
  } finally {
    over.abort()
  }
}
