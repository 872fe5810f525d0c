import { decide, takesUp } from '../pair/fsm.ts'
import type { Asked, Decision, Facts, PeerSays } from '../pair/facts.ts'
import { GOALS } from '../pair/goals.ts'
import { deadline, lookAgainAt } from '../pair/judge.ts'
import { afterStall, heardFrom, overheard, remember } from '../pair/liveness.ts'
import { aged } from '../pair/proof_age.ts'
import { carryOut } from './act.ts'
import { type Act, type AskAnswer, converge, type Waiting } from './acting.ts'
import type { WitnessStanding } from './claims.ts'
import { Desk } from './desk.ts'
import { answerHandOver } from './hand_over.ts'
import { Jobs } from './jobs.ts'
import type { ConvergeOutcome, HandOverAnswer, HandOverRequest, Ports, Sighting } from './ports.ts'
import { keepProof, voidProof } from './proof.ts'
import type { Settings } from './settings.ts'
import { AgentState } from './state.ts'
import { stoppablePeer } from './stoppable_peer.ts'

/**
 * The agent, over {@link Ports} and nothing else: rounds of look, judge, decide, act. What is acted on
 * runs beside the rounds, one thing at a time, for a leader that waits for k3s must still see that it
 * was cut off; what is more pressing ends what is less.
 */
export class AgentCore {
  /** What an operator asks beside decisions. */
  readonly desk: Desk
  readonly #state: AgentState
  readonly #ports: Ports
  readonly #settings: Settings
  readonly #jobs: Jobs
  #asked: Waiting | null = null
  #wake = new AbortController()
  #lookAt = 0
  /** When what is waited for should have come, at the latest. */
  #expectedBy = 0
  #lastRule = ''

  constructor(settings: Settings, ports: Ports) {
    this.#settings = settings
    this.#ports = ports
    this.#state = new AgentState(settings, ports)
    this.desk = new Desk(this.#state, ports)
    this.#jobs = new Jobs(ports.clock, settings.timing.intervalMs, () => this.#wake.abort())
  }

  /** Reads what survived. The first round follows: until it has ended nothing is proven. */
  async start(): Promise<void> {
    await this.#state.load()
    this.#expect(0)
  }

  /** Rounds until `stop`; what is under way then is ended and waited for. */
  async run(stop: AbortSignal): Promise<void> {
    // Whatever came between start and here was no stall.
    this.#expect(0)
    // One listener for all rounds: a signal made of two in each of them would keep something of each.
    stop.addEventListener('abort', () => this.#wake.abort(), { once: true })
    while (!stop.aborted) {
      await this.round()
      await this.#rest(stop)
    }
    await this.#jobs.end()
  }

  /** One look, and what follows from it. What it begins may outlast it: see {@link idle}. */
  async round(): Promise<void> {
    const { clock } = this.#ports
    if (this.#stalled()) this.#decideAndAct()
    const at = clock.now()
    this.#lookAt = at + this.#settings.timing.intervalMs
    // From here on: a disk that hangs is a stall as well.
    this.#expect(this.#settings.timing.intervalMs)
    await this.#lookAtSentinels()
    this.#state.claims.keep()
    this.#state.power.keep()
    const { meta } = this.#state
    const sighting = await this.#untilSeen(this.#ports.sight.look({ meta }), at)
    // What was seen before a stall says nothing of the time after it.
    if (!this.#stalled()) {
      const viewer = { self: this.#settings.self, meta, at }
      this.#state.memory = aged(remember(this.#state.memory, sighting, viewer), clock.now())
      this.#state.room.tell(this.#state.memory, this.#ports)
      this.#state.doubtOtherLead()
      this.#state.forgetRefusal()
      this.#state.endPauses()
      this.#state.releaseWaiting()
      await keepProof(this.#state)
    }
    this.#decideAndAct()
  }

  /** Resolves when nothing is under way. */
  readonly idle = async (): Promise<void> => await this.#jobs.idle()

  /** What this host says of itself; the peer API serves it, also while something is under way. */
  status(): PeerSays & { readonly initialised: boolean; readonly frozen: boolean } {
    const { initialised, flaps } = this.#state
    return { ...this.#state.says(), initialised, frozen: flaps.frozen }
  }

  /** The peer's agent asks. A leader counts silence from no earlier than this: its follower neither. */
  onStatus(): ReturnType<AgentCore['status']> {
    const state = this.#state
    state.askedAt = this.#ports.clock.now()
    if (!state.leads) state.memory = heardFrom(state.memory, this.#ports.clock.now())
    return this.status()
  }

  /** Its peer's agent hears this one: it asks, round by round. */
  get peerAsks(): boolean {
    return this.#ports.clock.now() - this.#state.askedAt <= this.#settings.timing.promoteMs
  }

  /** What the next round would be decided from. */
  facts(): Facts {
    return this.#state.facts(null)
  }

  /** What the witness said last; null: the site has none, or it was not asked yet. */
  get witness(): WitnessStanding | null {
    return this.#state.claims.standing
  }

  /** The leader asks us to void our proof of this term. */
  async onVoidProof(term: number): Promise<boolean> {
    return await voidProof(this.#state, this.#ports.clock.now(), term)
  }

  /** A phase of the peer's hand-over (A7). */
  async onHandOver(request: HandOverRequest): Promise<HandOverAnswer> {
    const answer = await answerHandOver(request, {
      state: this.#state,
      ports: this.#ports,
      converge: (tags) => this.#convergeAside(tags),
      cancel: () => this.#jobs.cancel('hand-over'),
      wake: () => this.#wake.abort(),
    })
    const kind =
      request.phase === 'yield' ? 'yielded' : request.phase === 'back' ? 'handed-back' : null
    if (kind === null || !answer.ok) return answer
    if (this.#asked !== null) return { ok: false, why: 'it is asked something else' }
    this.#asked = { asked: { kind, term: request.term }, resolve: () => undefined }
    // At once: one probe that is missed in the look to come would let it wait out its pause, and nobody
    // serves meanwhile.
    if (this.#stalled()) this.#wake.abort()
    else this.#decideAndAct()
    return answer
  }

  /** An operator's request: taken up, or refused in words, by the next decision. */
  async ask(asked: Asked): Promise<AskAnswer> {
    if (this.#asked !== null)
      return { ok: false, rule: 'busy', why: 'the agent is asked something else already' }
    return await new Promise((resolve) => {
      this.#asked = { asked, resolve }
      this.#wake.abort()
    })
  }

  /** The deadline of a fence is the clock's: it does not wait for a look that is under way. */
  async #untilSeen(looking: Promise<Sighting>, at: number): Promise<Sighting> {
    const due = deadline(this.#state.memory, this.#state.judgeAt(at))
    if (due === null || due - at > this.#settings.timing.intervalMs) return await looking
    const seen = new AbortController()
    const timer = this.#until(due, seen.signal).then(() => 'due' as const)
    const first = await Promise.race([looking.then(() => 'seen' as const), timer])
    seen.abort()
    if (first === 'due' && !this.#stalled()) this.#decideAndAct()
    return await looking
  }

  /** Real timers wake a little early, and the clock may be coarse. */
  async #until(time: number, stop: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    for (let now = clock.now(); now < time && !stop.aborted; now = clock.now())
      await clock.sleep(time - now, stop)
  }

  async #rest(stop: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    while (!stop.aborted && !this.#wake.signal.aborted) {
      const now = clock.now()
      const again = lookAgainAt(this.#state.memory, now)
      const next = Math.min(this.#lookAt, again ?? Infinity)
      const due = deadline(this.#state.memory, this.#state.judgeAt(now)) ?? Infinity
      const until = Math.min(next, due)
      if (until > now) {
        this.#expect(until - now)
        await clock.sleep(until - now, this.#wake.signal)
        if (this.#stalled()) {
          this.#decideAndAct()
          break
        }
      }
      if (until === due) this.#decideAndAct()
      if (until === next) break
    }
    this.#wake = new AbortController()
  }

  #expect(ms: number): void {
    this.#expectedBy = this.#ports.clock.now() + ms
  }

  /** Late by more than the limit: what we knew is worth nothing, and a leader stops first (A8). */
  #stalled(): boolean {
    const now = this.#ports.clock.now()
    const late = now - this.#expectedBy
    this.#expectedBy = now
    if (late <= this.#settings.timing.lateMs) return false
    this.#state.late = true
    // The unit that watches this agent has stopped kine meanwhile (B9), on a follower too.
    this.#state.unsettled()
    this.#state.reads.ended()
    this.#state.memory = afterStall(this.#state.memory, now)
    this.#state.fault('late', `this agent stood still for ${late} ms`)
    return true
  }

  async #lookAtSentinels(): Promise<void> {
    await this.#state
      .lookAtSentinels()
      .catch((error: unknown) => this.#state.fault('sentinels', error))
  }

  #decideAndAct(): void {
    const waiting = this.#asked
    this.#asked = null
    const asked = waiting?.asked ?? null
    this.#state.memory = overheard(this.#state.memory, this.#ports.sight.heard())
    const facts = this.#state.facts(asked)
    this.#state.late = false
    const decision = decide(facts)
    const taken = takesUp(decision)
    if (decision.rule !== this.#lastRule || taken) this.#noteDecision(decision, facts)
    // Not waited for: whatever has to end first, rounds go on.
    void this.#begin(decision, asked).then((begun) =>
      waiting?.resolve({
        ok: taken && begun,
        rule: decision.rule,
        why: reasonOf(decision, taken, begun),
      }),
    )
  }

  #noteDecision(decision: Decision, facts: Facts): void {
    this.#lastRule = decision.rule
    const { meta, peer, asked, ...rest } = facts
    this.#ports.note({
      kind: 'decision',
      ...decision,
      term: meta?.term ?? null,
      facts: { ...rest, peer: peer.contact, asked: asked?.kind ?? null, mode: meta?.mode ?? null },
    })
  }

  async #begin(decision: Decision, asked: Asked | null): Promise<boolean> {
    const { goal } = decision
    if (goal === 'stay' || goal === 'wait') return true
    if (goal === 'thaw') {
      this.#state.flaps.thaw()
      return true
    }
    const work = (stop: AbortSignal) => carryOut(goal, this.#act(decision, asked, stop))
    const taken = takesUp(decision)
    // What is under way may take seconds to end: kine writes on meanwhile (A8, B1).
    const first = () => {
      if (GOALS[goal].tags?.includes('impair') === true) this.#ports.engine.stopServing()
    }
    const insists = taken && asked?.kind === 'promote'
    return await this.#jobs.begin(goal, work, { atOnce: taken, insists, first })
  }

  #act(decision: Decision, asked: Asked | null, stop: AbortSignal): Act {
    const peer = stoppablePeer(this.#ports.peer, stop)
    return { state: this.#state, ports: { ...this.#ports, peer }, decision, asked, stop }
  }

  /** For the leader's hand-over: as pressing as our own would be. */
  async #convergeAside(tags: readonly string[]): Promise<ConvergeOutcome> {
    const decision: Decision = { rule: 'asked', goal: 'hand-over', why: 'the leader hands over' }
    return await new Promise((resolve) => {
      const work = async (stop: AbortSignal) => {
        const outcome = await converge(this.#act(decision, null, stop), { tags, urgent: true })
        resolve(outcome)
        return outcome.kind === 'done'
      }
      void this.#jobs.begin('hand-over', work).then((begun) => {
        if (!begun) resolve({ kind: 'locked', by: 'this agent' })
      })
    })
  }
}

function reasonOf({ why }: Decision, taken: boolean, begun: boolean): string {
  if (!taken) return `no rule takes it up as things are: ${why}`
  return begun ? why : 'something more pressing is under way'
}
