import type { Asked, Facts, PeerSays, Settled } from '../pair/facts.ts'
import type { Owed, Stamp } from '../pair/goals.ts'
import { type HandOverFailures, isPutOff } from '../pair/hand_over_failures.ts'
import { type HostMeta, sameHostMeta } from '../pair/host_meta.ts'
import { judge, type Judge, mayPromote } from '../pair/judge.ts'
import { firstMemory, type Memory, unvouched, waitMs } from '../pair/liveness.ts'
import { isRefused, type VoidRefusal } from '../pair/void_refusal.ts'
import { COMMIT_LOST_MS } from '../pair/timing.ts'
import { Claims } from './claims.ts'
import { goesOn } from './continuity.ts'
import { Flaps } from './flaps.ts'
import { Gate } from './gate.ts'
import { unbegunOf } from './hand_back.ts'
import { MetaWatch } from './meta_watch.ts'
import { ownWords } from './own_words.ts'
import { PermitWatch } from './permit_watch.ts'
import type { Ports, Proof } from './ports.ts'
import { PowerOffs } from './power_off.ts'
import { Reads } from './reads.ts'
import { restrictionOf } from './restriction.ts'
import type { Aside } from './set_aside.ts'
import type { Settings } from './settings.ts'
import { SettlePauses } from './settle_pauses.ts'
import { ToldFaults } from './told_faults.ts'
import { ToldRoom } from './told_room.ts'

/** What the agent knows, and the two files that it owns: hostMeta and the proof. */
export class AgentState {
  readonly gate = new Gate()
  readonly room = new ToldRoom()
  meta: HostMeta | null = null
  metaDoubtful = false
  proof: Proof = { term: 0, voided: 0 }
  initialised = false
  paused = false
  impaired = false
  late = false
  memory: Memory
  owed: Owed | null = null
  /** Follower: its kine is stopped for a hand-over, until then. */
  preparedUntil = 0
  handOverHeldUntil = 0
  /** Follower: it is about to stop, and its leader goes on alone until then. */
  leavingUntil = 0
  handOverFailures: HandOverFailures | null = null
  voidRefusal: VoidRefusal | null = null
  /** The lead of this term was given back: it is not taken up any more. 0: none. */
  handedBackTerm = 0
  /** Until then the peer that has promised to lead again is not asked once more. */
  askBackAt = 0
  /** The lead of this term was taken up, and no converge of its role can have begun it. 0: none. */
  untouchedTerm = 0
  /** Kubernetes was told what may be changed in this term; 0: none. */
  restrictedTerm = 0
  aside: Aside = { led: null, kept: null }
  /** When the peer's agent last asked. */
  askedAt = -Infinity
  readonly claims: Claims
  readonly reads = new Reads()
  readonly power: PowerOffs
  readonly flaps: Flaps
  readonly settings: Settings
  readonly #ports: Ports
  #settledFor: HostMeta | null = null
  readonly #pauses = new SettlePauses()
  readonly #file: MetaWatch
  readonly #permit: PermitWatch
  readonly #faults: ToldFaults

  constructor(settings: Settings, ports: Ports) {
    this.settings = settings
    this.#ports = ports
    this.#faults = new ToldFaults(ports)
    this.#file = new MetaWatch(this, ports.store)
    this.#permit = new PermitWatch(this, ports)
    this.claims = new Claims(this, ports)
    this.power = new PowerOffs(this, ports)
    this.flaps = new Flaps(ports, (what, error) => this.fault(what, error))
    this.memory = firstMemory(ports.clock.now())
  }

  /** What survived: nothing of it is believed further than it can prove (A5). */
  async load(): Promise<void> {
    const { store, clock } = this.#ports
    const { meta, fault } = await store.readMeta()
    if (fault !== null) this.fault('hostMeta', fault)
    this.#file.begin(fault)
    this.meta = meta
    this.metaDoubtful = fault !== null && meta !== null
    this.proof = await store.readProof()
    await this.lookAtSentinels()
    const continued = await goesOn(meta, this.settings, this.#ports)
    await this.flaps.load()
    this.memory = { ...firstMemory(clock.now()), continued, differsBy: await store.readDiffers() }
  }

  async lookAtSentinels(): Promise<void> {
    const { store } = this.#ports
    const [initialised, paused] = await Promise.all([store.isInitialised(), store.isPaused()])
    this.initialised = initialised
    this.paused = paused
    await this.#permit.look()
    // Not waited for: a disk that is slow is no reason for a late round.
    void this.#file.look().catch((error: unknown) => this.fault('hostMeta', error))
  }

  /** What a laptop has written, in the gate; what an agent writes goes by writeMeta. */
  take(meta: HostMeta): void {
    this.meta = meta
    this.metaDoubtful = false
    this.#noteMeta(meta)
  }

  get self(): string {
    return this.settings.self
  }

  get leads(): boolean {
    return this.meta?.leader === this.self
  }

  facts(asked: Asked | null): Facts {
    const now = this.#ports.clock.now()
    const { self, policy, timing } = this.settings
    const judged = judge(this.memory, this.judgeAt(now))
    return {
      self,
      policy,
      initialised: this.initialised,
      paused: this.paused,
      frozen: this.flaps.frozenNow(),
      meta: this.meta,
      metaDoubtful: this.metaDoubtful,
      late: this.late,
      impaired: this.impaired,
      settled: this.#settled(now),
      promotable: this.promotable,
      copying: !this.leads && this.memory.subscription.copying,
      handOverHeld: now < this.handOverHeldUntil,
      handOverPutOff: isPutOff(this.handOverFailures, this.meta?.term, now),
      voidRefused: isRefused(this.voidRefusal, now, timing),
      restriction: restrictionOf(this),
      reads: this.reads.standing(now),
      claimBarred: this.claims.isBarred,
      powerHeld: this.power.isHeld,
      asked,
      ...judged,
      ...unbegunOf(this, judged),
    }
  }

  judgeAt(now: number): Judge {
    const { timing, policy } = this.settings
    const { meta, metaDoubtful } = this
    const { acceptLossBytes, fencing } = policy
    const followerDelayMs = fencing?.followerDelayMs ?? 0
    return { now, timing, meta, metaDoubtful, acceptLossBytes, followerDelayMs }
  }

  /** Our proof of this term, and nothing that puts it in doubt (A3). */
  get promotable(): boolean {
    const { meta, memory, proof } = this
    return (
      meta?.mode === 'paired' &&
      meta.leader !== this.settings.self &&
      proof.term === meta.term &&
      memory.renewedTerm === meta.term &&
      // Under consistency its leader can not go alone unseen: the claim says so, or our own void proof (A4).
      (!memory.inDoubt || this.settings.policy.partition === 'consistency') &&
      this.isWhole
    )
  }

  /** Its copy of the table is whole, by hostMeta's slot. */
  get isWhole(): boolean {
    const { ready, readySlot } = this.memory.subscription
    return ready && readySlot === this.meta?.slot
  }

  /** What this host's agent says of itself to the peer's. */
  says(): PeerSays {
    return ownWords(this, this.#ports.clock.now())
  }

  /** In the gate. On the disk before it is believed. */
  async writeMeta(next: HostMeta): Promise<void> {
    const before = this.meta
    await this.#ports.store.writeMeta(next)
    this.meta = next
    this.metaDoubtful = false
    this.voidRefusal = null
    this.#pauses.reset()
    this.#noteMeta(next)
    this.flaps.count(before, next)
  }

  /** In the gate. */
  async writeProof(proof: Proof): Promise<void> {
    await this.#ports.store.writeProof(proof)
    this.proof = proof
    this.#ports.note({ kind: 'proof', ...proof })
  }

  /** Whoever has won a claim takes its term, and no other. */
  stamp(claimed: number | null = null): Stamp {
    const above = Math.max(this.spokenTerm, this.claims.highestTerm)
    const highestTerm = claimed === null ? above : claimed - 1
    return { self: this.settings.self, wallTime: this.#ports.clock.wallTime(), highestTerm }
  }

  get spokenTerm(): number {
    return Math.max(this.memory.highestTerm, this.proof.voided)
  }

  get hearsPeer(): boolean {
    return this.memory.agent.says !== null && this.memory.agent.missed === 0
  }

  /** Anything of it, and also when it asks. */
  get peerHeardAt(): number {
    return Math.max(this.askedAt, this.memory.peer.arrivedAt, this.memory.agent.heardAt)
  }

  get isSettled(): boolean {
    return (
      this.meta !== null && this.#settledFor !== null && sameHostMeta(this.#settledFor, this.meta)
    )
  }

  /** role.yaml is true on this host, for this hostMeta. */
  settledFor(meta: HostMeta): void {
    this.#settledFor = meta
    this.reads.settled()
    this.#pauses.reset()
    this.#pauses.routineAt(this.#ports.clock.now() + this.settings.timing.reconcileMs)
  }

  unsettled(): void {
    this.#settledFor = null
  }

  /**
   * What is owed is retried at once, then each round; a routine with growing pauses, until what it may
   * have waited for is there. A lock that is held by another makes nothing untrue.
   */
  settleFailed(how: 'failed' | 'locked' | 'stopped'): void {
    const { intervalMs } = this.settings.timing
    const now = this.#ports.clock.now()
    if (how === 'locked' && this.isSettled) return this.#pauses.routineAt(now + intervalMs)
    if (how === 'locked') this.#pauses.heldUntil(now + intervalMs)
    else this.#pauses.failed(now, this.owed?.urgent === true ? intervalMs : null)
    // A follower that waits for its leader is no reason to end a laptop's converge again and again.
    if (this.owed !== null && !this.leads) this.owed = { ...this.owed, urgent: false }
    this.#settledFor = null
  }

  /** A round's answers are in. */
  endPauses(): void {
    this.#pauses.see(judge(this.memory, this.judgeAt(this.#ports.clock.now())))
  }

  /** A leader stands still: the word of a peer that may be promoting vouches for nothing (A5). */
  doubtOtherLead(): void {
    const by = this.judgeAt(this.#ports.clock.now())
    const mayLead = by.now < this.handOverHeldUntil || mayPromote(this.memory, by)
    if (this.leads && this.impaired && mayLead) this.memory = unvouched(this.memory)
  }

  /** The follower acknowledges again: what was refused before is past. */
  forgetRefusal(): void {
    if (this.voidRefusal === null) return
    const { stream } = judge(this.memory, this.judgeAt(this.#ports.clock.now()))
    if (stream !== 'lost') this.voidRefusal = null
  }

  /**
   * A leader that is alone waits for nobody: names left behind by whatever was cut are taken away. In term
   * 1 a laptop may be about to make the first pair: it holds the lock meanwhile, and is not ended.
   */
  releaseWaiting(): void {
    const { stream } = this.memory
    if (!this.leads || this.meta?.mode !== 'alone' || this.owed !== null) return
    if (stream !== null && stream.term === this.meta.term && waitMs(stream) > COMMIT_LOST_MS)
      this.owed = { tags: ['alone'], urgent: this.meta.term > 1 }
  }

  fault(what: string, error: unknown): void {
    this.#faults.tell(what, error)
  }

  #noteMeta({ term, branch, mode, leader }: HostMeta): void {
    this.#ports.note({ kind: 'meta', term, branch, mode, leader })
  }

  #settled(now: number): Settled {
    if (now < this.preparedUntil) return 'later'
    if (this.isSettled && this.owed === null) return this.#pauses.isRoutineDue(now) ? 'due' : 'yes'
    return this.#pauses.isOver(now) ? 'due' : 'later'
  }
}
