import { needsClaim } from '../pair/claim.ts'
import type { Facts } from '../pair/facts.ts'
import { decide, FORCED_LEADS } from '../pair/fsm.ts'
import { alone, promoted, type Stamp } from '../pair/goals.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { forcedToLead, heardAgoMs, unvouched, vouchedFor } from '../pair/liveness.ts'
import { needsPowerOff } from '../pair/power.ts'
import { mayLose, promotionRisk } from '../pair/promotion_risk.ts'
import { refusedAgain } from '../pair/void_refusal.ts'
import { type Act, change, converge, decidedAgain, unchanged } from './acting.ts'
import type { Taken } from './claims.ts'
import { settle } from './settle.ts'

/** What hostMeta becomes. */
type Next = (meta: HostMeta, stamp: Stamp) => HostMeta

/** The follower leads from now on: the claim first, where the site has one, and then hostMeta. */
export async function promote(act: Act): Promise<boolean> {
  const { state, ports } = act
  const heard = heardAgoMs(state.memory, ports.clock.now())
  const risk = promotionRisk(state.facts(act.asked), heard)
  if (!(await record(act, { voided: false, still: decidedAgain(act), next: promoted })))
    return false
  // By an operator's word, or because the site accepts it: what may be missing has to be said somewhere.
  if (risk !== null && mayLose(risk, act.decision.rule))
    ports.note({ kind: 'loss', lagBytes: risk.lagBytes, heardAgoMs: risk.heardAgoMs })
  state.impaired = false
  state.preparedUntil = 0
  state.owed = { tags: ['role'], urgent: true }
  return await settle(act)
}

/** Void or claim, record, release: in this order, or an acknowledged write can be lost (A4, B7). */
export async function goAlone(act: Act): Promise<boolean> {
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
      ? unchanged(facts, meta) && !facts.impaired && hasReason(facts)
      : decide(facts).goal === 'go-alone'
  if (!(await record(act, { voided: voided === true, still, next: alone }))) return false
  if (decision.rule === 'forced-lead') state.memory = forcedToLead(state.memory)
  // Nobody else can have won the claim: the same as the word of a peer that has nothing higher (A5).
  else if (decision.rule === 'claim-lead') state.memory = vouchedFor(state.memory)
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

/** What it was decided for still holds. */
function hasReason({ stream, metaDoubtful, followerDiffers }: Facts): boolean {
  return stream === 'lost' || metaDoubtful || followerDiffers
}

interface Recording {
  /** The peer has its void proof on its disk. */
  readonly voided: boolean
  /** It is still to be done, by what is known when the claim is won. */
  readonly still: (facts: Facts) => boolean
  readonly next: Next
}

/** Writes the hostMeta in which this host leads alone: after the power-off, or with the claim, if it needs one. */
async function record(act: Act, { voided, still, next }: Recording): Promise<boolean> {
  const { state, ports, decision, stop } = act
  const forced = FORCED_LEADS.has(decision.rule)
  const written = async (term: number | null) =>
    await change(act, still, ({ meta }) => {
      if (meta === null) return null
      const made = next(meta, state.stamp(term))
      // hostMeta has moved on since the claim was won: it is of no use any more.
      return term === null || made.term === term ? made : null
    })
  const power = needsPowerOff(state.facts(act.asked), decision, voided)
  if (power !== 'no') {
    const { off } = await state.power.off(stop)
    return (off || power === 'tried') && (await written(null))
  }
  if (needsClaim(state.settings, decision, voided))
    return await state.claims.withClaim({ forced: false, stop }, async (taken) => {
      if (taken.kind === 'won') return await written(taken.term)
      doubtOwnLead(act, taken)
      return false
    })
  if (!forced || ports.witness === null) return await written(null)
  // An operator's word moves the claim too, so that the other host finds it gone; it waits for nobody.
  return await state.claims.withClaim(
    { forced, stop },
    async (taken) => await written(taken.kind === 'won' ? taken.term : null),
  )
}

/** Who reads that the other host has won it may have been replaced: it stops, and serves no old reads. */
function doubtOwnLead({ state }: Act, taken: Taken): void {
  if (state.leads && taken.kind === 'refused' && taken.held) state.memory = unvouched(state.memory)
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
