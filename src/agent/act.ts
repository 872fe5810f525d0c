import type { Facts, Goal } from '../pair/facts.ts'
import { paired, withNewSlot, withoutSlot, withReplacement } from '../pair/goals.ts'
import { unvouched, vouchedFor } from '../pair/liveness.ts'
import { HAND_OVER_PAUSE_MS } from '../pair/timing.ts'
import { type Act, change, converge, decidedAgain, from, unchanged } from './acting.ts'
import { handBack, handedToUs } from './hand_back.ts'
import { handOver } from './hand_over.ts'
import { goAlone, promote } from './lead_alone.ts'
import type { ConvergeOutcome } from './ports.ts'
import { serveReads } from './reads.ts'
import { restrict } from './restriction.ts'
import { settle } from './settle.ts'
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
  'new-slot': otherSlot(withNewSlot, false),
  'let-go': otherSlot(withoutSlot, true),
  restrict,
  'serve-reads': serveReads,
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

async function impair(act: Act): Promise<ConvergeOutcome> {
  const { state } = act
  state.unsettled()
  state.reads.ended()
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

/** A slot of a new name, or none: then a laptop's run does not hold up that the disk has its room again. */
function otherSlot(next: typeof withNewSlot, urgent: boolean): Procedure {
  return async (act) => {
    const { state } = act
    const written = from((meta) => next(meta, state.stamp()))
    if (!(await change(act, decidedAgain(act), written))) return false
    if (urgent) state.owed = { tags: ['role'], urgent }
    return await settle(act)
  }
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
