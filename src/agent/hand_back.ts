import type { Facts } from '../pair/facts.ts'
import { isUnbegun } from '../pair/goals.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import type { Judged } from '../pair/judge.ts'
import { type Memory, voidMissed } from '../pair/liveness.ts'
import { HAND_OVER_PAUSE_MS } from '../pair/timing.ts'
import type { Act } from './acting.ts'
import type { HandOverAnswer } from './ports.ts'
import type { AgentState } from './state.ts'

/**
 * A hand-over that reached nobody: the old leader has written that the other host leads, and has
 * everything; the other one can't write that down, or can't serve, and nothing was ever written in the
 * new branch. It gives the lead back, and promises not to take it up: in memory, for its disk may be
 * what is full. A boot that forgets the promise comes later than the promotion that it was given for.
 */
export async function handBack({ state, ports }: Act, term: number): Promise<boolean> {
  const again = state.handedBackTerm === term
  // It has promised to lead; it takes a moment, and would refuse what it has done.
  if (again && ports.clock.now() < state.askBackAt) return true
  state.handedBackTerm = term
  // What the peer writes from now on is in no proof of ours.
  state.memory = voidMissed(state.memory, state.meta?.term ?? 0)
  const answer = await ports.peer.handOver({ phase: 'back', term })
  if (answer.ok) {
    state.askBackAt = ports.clock.now() + HAND_OVER_PAUSE_MS
    return true
  }
  state.fault('hand-over', `the lead can not be given back: ${answer.why}`)
  // Where the peer may have heard it, now or before, it may be promoting, or have promoted, by now.
  if (!again && answer.heard !== false) state.handedBackTerm = 0
  return false
}

/** The peer's hostMeta, if it hands the lead to this host in a branch that nobody has begun. */
export function handedToUs({ self, peer }: Facts): HostMeta | null {
  const theirs = peer.contact === 'answers' ? peer.says.meta : null
  return theirs?.leader === self && isUnbegun(theirs) ? theirs : null
}

/** The old leader's answer: it still has everything, and could lead. */
export function answerHandBack(state: AgentState): HandOverAnswer {
  const { meta } = state
  if (meta === null || !isUnbegun(meta)) return { ok: false, why: 'nothing was handed over' }
  const { postgres, disk } = state.facts(null)
  if (postgres !== 'up') return { ok: false, why: 'its PostgreSQL is not up' }
  return disk === 'ok' ? { ok: true } : { ok: false, why: 'its disk is full' }
}

/** What an agent remembers of a lead that it was handed. */
interface Handed {
  readonly self: string
  readonly meta: HostMeta | null
  readonly memory: Memory
  readonly untouchedTerm: number
  readonly handedBackTerm: number
}

/**
 * Of a branch that was handed to this host and that nobody has begun. That it is recorded proves nothing:
 * whoever wrote it down may have given it back, and died. Its peer's word does, from which it was taken.
 */
export function unbegunOf(handed: Handed, judged: Judged): Pick<Facts, 'unbegun' | 'proven'> {
  const { self, meta, memory, untouchedTerm, handedBackTerm } = handed
  if (meta?.leader !== self || !isUnbegun(meta)) return { unbegun: 'no', proven: judged.proven }
  const gaveBack = handedBackTerm === meta.term
  const untouched = untouchedTerm === meta.term ? 'untouched' : 'no'
  return {
    unbegun: gaveBack ? 'given-back' : untouched,
    proven: judged.proven && memory.vouched && !gaveBack,
  }
}
