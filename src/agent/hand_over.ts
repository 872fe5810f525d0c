import { DIGEST_TAGS, digestOf, GOALS, handedOver } from '../pair/goals.ts'
import { failedOnceMore } from '../pair/hand_over_failures.ts'
import { HAND_OVER_PAUSE_MS, PREPARED_MS } from '../pair/timing.ts'
import { type Act, change, converge, from, unchanged } from './acting.ts'
import type { ConvergeOutcome, HandOverAnswer, HandOverRequest, Ports } from './ports.ts'
import { followerDiffers } from './differs.ts'
import { answerHandBack } from './hand_back.ts'
import type { AgentState } from './state.ts'

/**
 * The leader's side of a hand-over, in A7's order: both kines dead, fence on, backends gone, the
 * follower has flushed everything, both digests equal, and only then hostMeta with the other leader.
 * Whatever fails before that, this host leads on.
 */
export async function handOver(act: Act): Promise<boolean> {
  const { state, ports } = act
  const { meta } = state
  if (meta === null) return false
  state.handOverHeldUntil = ports.clock.now() + HAND_OVER_PAUSE_MS
  const failure = await standStill(act, meta.term)
  const written =
    failure === null &&
    (await change(
      act,
      (facts) => unchanged(facts, meta) && !facts.impaired,
      from((now) => handedOver(now, state.stamp())),
    ))
  if (!written) {
    // Whoever asked is told that it did not come about, whatever has come between.
    const between = { why: 'this host is not the leader of a pair any more', stopped: false }
    tellOf(failure ?? between, act, meta.term)
    await ports.peer.handOver({ phase: 'cancel', term: meta.term })
    return false
  }
  state.owed = { tags: ['role'], urgent: true }
  if (state.meta !== null) await ports.peer.handOver({ phase: 'take', term: state.meta.term })
  return true
}

/** Why a hand-over did not come about. */
interface Failure {
  readonly why: string
  /** Both kines were stopped for it. */
  readonly stopped: boolean
}

/** What an operator asks for is tried whenever it is asked for, and puts nothing off. */
function tellOf({ why, stopped }: Failure, { state, ports, asked }: Act, term: number): void {
  if (!stopped || asked?.kind === 'switchover') return state.fault('hand-over', why)
  const now = ports.clock.now()
  state.handOverFailures = failedOnceMore(state.handOverFailures, term, now)
  const { until, count } = state.handOverFailures
  const seconds = Math.ceil((until - now) / 1000)
  const times = count === 1 ? 'once' : `${count} times`
  state.fault('hand-over', `${why}; failed ${times}, the next attempt is in ${seconds} s or later`)
}

/** Null: both hosts have the same, and nothing can change it any more. */
async function standStill(act: Act, term: number): Promise<Failure | null> {
  const { ports, asked } = act
  const byOperator = asked?.kind === 'switchover'
  const prepared = await ports.peer.handOver({ phase: 'prepare', term, byOperator })
  if (!prepared.ok) return { why: `the peer can not lead: ${prepared.why}`, stopped: false }
  const why = await unequal(act, term)
  return why === null ? null : { why, stopped: true }
}

/** Null: both hosts have the same. Else why not. */
async function unequal(act: Act, term: number): Promise<string | null> {
  const { state, ports } = act
  // kine is dead from here on: whatever comes, the role has to be converged again.
  state.owed = { tags: ['role'], urgent: true }
  state.unsettled()
  const stopped = await converge(act)
  if (stopped.kind !== 'done') return `this host does not stand still: ${stopped.kind}`
  // Both at once: nobody can write meanwhile, on either host.
  const [theirs, ours] = await Promise.all([
    ports.peer.handOver({ phase: 'digest', term }),
    converge(act, { tags: DIGEST_TAGS, urgent: true }),
  ])
  if (!theirs.ok) return `the peer has no digest: ${theirs.why}`
  const digest = ours.kind === 'done' ? digestOf(ours.registered) : null
  if (digest === null) return 'this host has no digest'
  if (digest === theirs.digest) return null
  followerDiffers(state, ports.store, state.meta?.slot ?? null)
  return "the digests of the two tables differ: the follower's is copied anew, and its own kept aside"
}

/** The follower's side: each phase is answered for the term that both are in, and no other. */
export async function answerHandOver(
  request: HandOverRequest,
  answering: Answering,
): Promise<HandOverAnswer> {
  const { state, ports, wake } = answering
  const { meta } = state
  if (request.phase === 'take') {
    wake()
    return { ok: true }
  }
  if (meta === null || meta.term !== request.term || state.leads)
    return { ok: false, why: `this host is not a follower of term ${request.term}` }
  switch (request.phase) {
    case 'prepare':
      return await prepare(request.byOperator, answering)
    case 'digest': {
      const outcome = await answering.converge(DIGEST_TAGS)
      const digest = outcome.kind === 'done' ? digestOf(outcome.registered) : null
      if (digest === null) return { ok: false, why: `the digest can not be made: ${outcome.kind}` }
      // Cancelled meanwhile: kine waits for nobody any more.
      if (state.preparedUntil > 0) state.preparedUntil = ports.clock.now() + PREPARED_MS
      return { ok: true, digest }
    }
    case 'cancel':
      state.preparedUntil = 0
      answering.cancel()
      state.unsettled()
      wake()
      return { ok: true }
    case 'yield': {
      const why = whyNotLead(state, false)
      if (why === null) return { ok: true }
      // The leader's own journal may be on the disk that is full.
      state.fault('yield', `the leader yields, and this host can not lead: ${why}`)
      return { ok: false, why, follows: true }
    }
    case 'back':
      return answerHandBack(state)
    default:
      throw new Error(`unhandled phase: ${String(request satisfies never)}`)
  }
}

export interface Answering {
  readonly state: AgentState
  readonly ports: Ports
  /** Beside the goals, as pressing as a hand-over; 'locked' while something more pressing is done. */
  readonly converge: (tags: readonly string[]) => Promise<ConvergeOutcome>
  /** Whatever of that is under way is not wanted any more. */
  readonly cancel: () => void
  /** The next round comes at once. */
  readonly wake: () => void
}

async function prepare(byOperator: boolean, answering: Answering): Promise<HandOverAnswer> {
  const { state, ports } = answering
  const why = whyNotLead(state, byOperator)
  if (why !== null) return { ok: false, why }
  state.preparedUntil = ports.clock.now() + PREPARED_MS
  // However it ends, the role is converged afterwards: as the leader's, or because the time is over.
  state.unsettled()
  const outcome = await answering.converge(GOALS['hand-over'].tags ?? [])
  if (outcome.kind === 'done') return { ok: true }
  state.preparedUntil = 0
  return { ok: false, why: `kine can not be stopped: ${outcome.kind}` }
}

/** Null: this host could lead now. */
function whyNotLead(state: AgentState, byOperator: boolean): string | null {
  const facts = state.facts(null)
  if (!facts.promotable) return 'it has no proof that it has everything'
  if (facts.postgres !== 'up') return 'its PostgreSQL is not up'
  if (facts.disk !== 'ok') return 'its disk is full'
  if (byOperator) return null
  if (facts.paused) return 'it is paused'
  if (facts.frozen) return 'it is frozen'
  return facts.gateway === 'up' ? null : 'it does not see the gateway'
}
