import { decide } from '../pair/fsm.ts'
import type { Facts, Goal } from '../pair/facts.ts'
import {
  alone,
  forkOf,
  lacksFork,
  markerAfter,
  paired,
  promoted,
  withFork,
  withNewSlot,
  withReplacement,
} from '../pair/goals.ts'
import { type HostMeta, sameHostMeta } from '../pair/host_meta.ts'
import { forcedToLead, unvouched, vouchedFor } from '../pair/liveness.ts'
import { refusedAgain } from '../pair/void_refusal.ts'
import { HAND_OVER_PAUSE_MS } from '../pair/timing.ts'
import { type Act, change, converge, decidedAgain, from, unchanged } from './acting.ts'
import { handBack, handedToUs } from './hand_back.ts'
import { handOver } from './hand_over.ts'
import type { ConvergeOutcome } from './ports.ts'
import { restrict } from './restriction.ts'
import { ledBy } from './set_aside.ts'

/** True: it came to its end. */
type Procedure = (act: Act) => Promise<boolean>

/**
 * How each goal is carried out: hostMeta before, converge, hostMeta after. Each can be cut between any
 * two writes: the next agent finds hostMeta on the disk and settles it.
 */
const PROCEDURES: Readonly<Record<ActiveGoal, Procedure>> = {
  settle,
  impair: async (act) => (await impair(act)).kind === 'done',
  recover,
  adopt,
  promote,
  'go-alone': goAlone,
  pair,
  'hand-over': handOver,
  'hand-back': (act) => handBack(act, act.state.meta?.term ?? 0),
  yield: yieldLead,
  'new-slot': newSlot,
  restrict,
  'accept-replacement': acceptReplacement,
}

/** Goals for which something is done. */
export type ActiveGoal = Exclude<Goal, 'stay' | 'wait' | 'thaw'>

/** Whatever goes wrong is a fault in the journal: the host stays as it is, and the next round goes on. */
export async function carryOut(goal: ActiveGoal, act: Act): Promise<boolean> {
  try {
    return await PROCEDURES[goal](act)
  } catch (error) {
    act.state.fault(goal, error)
    return false
  }
}

/** What is owed, or else all of the role; a leader of a new branch then writes down its fork point. */
async function settle(act: Act): Promise<boolean> {
  const { state } = act
  const { meta } = state
  if (meta === null) return false
  // A promotion that was cut is no routine.
  const unfinished = state.leads && lacksFork(meta)
  if (state.owed === null && unfinished) state.owed = { tags: ['role'], urgent: true }
  const { owed } = state
  const { untouchedTerm } = state
  // While it is under way, and if it is ended, nobody knows how far it comes.
  state.untouchedTerm = 0
  const tags = state.isSettled ? ['role', 'routine'] : ['role']
  const outcome = await converge(act, owed ?? { tags, urgent: false })
  const marker = outcome.kind === 'failed' ? markerAfter(outcome.registered) : 'unknown'
  if (marker === 'missing') state.untouchedTerm = meta.term
  if (marker === 'unread') state.untouchedTerm = untouchedTerm
  if (outcome.kind === 'stopped') return false
  if (outcome.kind !== 'done') {
    state.settleFailed(outcome.kind)
    return false
  }
  if (state.owed === owed) state.owed = null
  if (owed !== null && !owed.tags.includes('role')) return true
  state.settledFor(meta)
  await keepFork(act, meta, outcome.registered)
  return true
}

async function keepFork(
  { state, ports }: Act,
  meta: HostMeta,
  registered: Readonly<Record<string, unknown>>,
): Promise<void> {
  const fork = forkOf(registered)
  if (fork === null || !lacksFork(meta) || !state.leads) return
  await state.gate.run(async () => {
    if (state.meta === null || !sameHostMeta(state.meta, meta)) return
    await state.writeMeta(withFork(meta, fork, ports.clock.wallTime()))
    state.settledFor(state.meta)
  })
}

async function impair(act: Act): Promise<ConvergeOutcome> {
  const { state } = act
  state.unsettled()
  const outcome = await converge(act, { tags: ['impair'], urgent: true })
  if (outcome.kind !== 'done') return outcome
  state.impaired = true
  state.memory = unvouched(state.memory)
  return outcome
}

/** From here on the leader counts as serving: it may be cut off again half-way. */
async function recover(act: Act): Promise<boolean> {
  const { state } = act
  state.impaired = false
  state.owed = { tags: ['role'], urgent: true }
  return await settle(act)
}

async function adopt(act: Act): Promise<boolean> {
  const { state } = act
  const led = state.leads
  const before = state.meta
  const facts = state.facts(null)
  const handed = handedToUs(facts)
  const gaveBack = handed !== null && state.handedBackTerm === handed.term
  if (handed !== null && (gaveBack || facts.postgres !== 'up' || facts.disk === 'full'))
    return await handBack(act, handed.term)
  const written = await change(act, decidedAgain(act), ({ peer }) =>
    peer.contact === 'answers' ? peer.says.meta : null,
  ).catch(async (error: unknown) => {
    state.fault('hostMeta', error)
    // A disk that takes no hostMeta must not keep a leader that was replaced.
    if (led && !state.impaired) await impair(act)
    if (handed !== null) await handBack(act, handed.term)
    return false
  })
  if (!written) return false
  if (led && !state.leads && before !== null) state.aside = { ...state.aside, led: ledBy(before) }
  // What its kine acknowledges from here on is of a table that is set aside.
  if (led && !state.leads) act.ports.engine.stopServing()
  state.preparedUntil = 0
  if (handed !== null) {
    state.untouchedTerm = handed.term
    state.memory = vouchedFor(state.memory)
  }
  // Replaced: the table's next row stops what runs here.
  if (state.meta?.hosts.every(({ name }) => name !== state.settings.self)) return true
  if (!led && !state.leads) return await settle(act)
  state.impaired = false
  state.owed = { tags: ['role'], urgent: true }
  return await settle(act)
}

async function promote(act: Act): Promise<boolean> {
  const { state } = act
  const written = await change(
    act,
    decidedAgain(act),
    from((meta) => promoted(meta, state.stamp())),
  )
  if (!written) return false
  state.impaired = false
  state.preparedUntil = 0
  state.owed = { tags: ['role'], urgent: true }
  return await settle(act)
}

/** Void, record, release: in this order, or an acknowledged write can be lost (B7). */
async function goAlone(act: Act): Promise<boolean> {
  const { state, decision } = act
  const before = state.facts(act.asked)
  const { meta } = before
  if (meta === null) return false
  const voided = await voidPeersProof(act, before)
  if (voided === false && decision.rule !== 'forced-lead' && !before.voidRefused) return false
  // A hand-over that was cut short has stopped kine: what it owes is owed on, or nobody serves.
  const owed = state.owed?.tags.includes('role') === true ? state.owed : null
  const wasSettled = state.isSettled && owed === null
  // With the void acknowledged it no longer matters who answers whom.
  const still = (facts: Facts) =>
    voided === true
      ? unchanged(facts, meta) && !facts.impaired && (facts.stream === 'lost' || facts.metaDoubtful)
      : decide(facts).goal === 'go-alone'
  if (
    !(await change(
      act,
      still,
      from((now) => alone(now, state.stamp())),
    ))
  )
    return false
  if (decision.rule === 'forced-lead') state.memory = forcedToLead(state.memory)
  state.owed = owed ?? { tags: ['alone'], urgent: true }
  const outcome = await converge(act)
  if (outcome.kind !== 'done') {
    state.settleFailed(outcome.kind)
    return false
  }
  state.owed = owed
  if (wasSettled && state.meta !== null && !state.impaired) state.settledFor(state.meta)
  return true
}

/** Null: the peer does not answer, and nobody can be asked. */
async function voidPeersProof(
  { state, ports }: Act,
  { meta, peer }: Facts,
): Promise<boolean | null> {
  if (meta === null || peer.contact !== 'answers') return null
  const voided = await ports.peer.voidProof(Math.max(meta.term, peer.says.proofTerm ?? 0))
  state.voidRefusal = voided
    ? null
    : refusedAgain(state.voidRefusal, ports.clock.now(), state.settings.timing)
  return voided
}

/** A3's order is role.yaml's; "paired" is written last. Until then what was set may have to be undone. */
async function pair(act: Act): Promise<boolean> {
  const { state } = act
  const { meta } = state
  if (meta === null) return false
  if (meta.mode === 'alone') state.owed = { tags: ['alone'], urgent: true }
  let written = false
  // Recorded under the lock: a laptop's run that began in between would still read "alone", and take
  // the standby's names away again.
  const record = async (): Promise<void> => {
    written = await change(
      act,
      (facts) => unchanged(facts, meta) && !facts.impaired && facts.proven,
      from((now) => paired(now, state.stamp())),
    )
  }
  const outcome = await converge(act, { beforeUnlock: record })
  if (written) {
    state.owed = null
    if (state.meta !== null) state.settledFor(state.meta)
    return true
  }
  if (outcome.kind !== 'stopped') await settle(act)
  return false
}

async function newSlot(act: Act): Promise<boolean> {
  const { state } = act
  const next = from((meta) => withNewSlot(meta, state.stamp()))
  return (await change(act, decidedAgain(act), next)) && (await settle(act))
}

async function acceptReplacement(act: Act): Promise<boolean> {
  const { state, ports, asked } = act
  if (asked?.kind !== 'replacement') return false
  const { name, address } = asked
  const next = async ({ meta }: Facts) => {
    const old = meta?.hosts.find((host) => host.name !== meta.leader)
    if (meta === null || old === undefined) return null
    // First: by a site that names the old one still, its own converge would put it back.
    await ports.site.takeIn(old.name, { name, address })
    return withReplacement(meta, state.stamp(), { name, address })
  }
  if (!(await change(act, decidedAgain(act), next))) return false
  // PostgreSQL lets in another address as well.
  state.owed = { tags: ['role', 'postgres'], urgent: false }
  return await settle(act)
}

/** Stands still first, then lets the peer lead: it promotes by its own proof. */
async function yieldLead(act: Act): Promise<boolean> {
  const { state, ports } = act
  const { meta } = state
  if (meta === null) return false
  if (!state.impaired) {
    const outcome = await impair(act)
    // Without PostgreSQL nothing is served, and on a full disk nothing is committed, nor fenced:
    // whatever else could not be done. A paired leader acknowledges nothing without its follower.
    const { postgres, disk } = state.facts(null)
    if (outcome.kind !== 'done' && postgres === 'up' && disk === 'ok') return false
    // Nothing of it is taken back while the peer may be promoting, nor before it has said that it did not.
    state.impaired = true
    state.memory = unvouched(state.memory)
  }
  state.handOverHeldUntil = ports.clock.now() + HAND_OVER_PAUSE_MS
  const answer = await ports.peer.handOver({ phase: 'yield', term: meta.term })
  if (answer.ok) return true
  state.fault('yield', `the peer does not take the lead: ${answer.why}`)
  // By its own word it does not promote, and at the next look it may be able to.
  if (answer.follows === true) state.handOverHeldUntil = 0
  return false
}
