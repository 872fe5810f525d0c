import { voidHeard, voidMissed } from '../pair/liveness.ts'
import type { AgentState } from './state.ts'

/**
 * The leader asks a follower to void its proof of this term. True only when that is on our disk; never
 * true once we lead, or know of a later term: in the gate, so that no promotion comes between (B7).
 */
export async function voidProof(state: AgentState, now: number, term: number): Promise<boolean> {
  return await state.gate.run(async () => {
    const { meta, proof } = state
    if (!state.initialised || meta === null || state.leads || meta.term > term) return false
    state.memory = voidHeard(state.memory, now)
    if (proof.voided >= term) return true
    try {
      await writeVoid(state, term)
      return true
    } catch (error) {
      state.memory = voidMissed(state.memory, term)
      state.fault('proof', error)
      return false
    }
  })
}

/**
 * The leader has just said "paired" for our term: the proof is stored before it counts (A3). A void that
 * the disk did not take comes first: the leader may have gone alone without it.
 */
export async function keepProof(state: AgentState): Promise<void> {
  await state.gate
    .run(async () => {
      const { meta, proof, memory } = state
      if (meta === null || state.leads || !state.initialised) return
      if (memory.voidMissedTerm > proof.voided)
        return await writeVoid(state, memory.voidMissedTerm).catch(() => undefined)
      if (meta.mode !== 'paired' || memory.renewedTerm !== meta.term) return
      if (memory.agent.missed > 0) return
      if (proof.term === meta.term || meta.term <= proof.voided) return
      await state.writeProof({ term: meta.term, voided: proof.voided })
    })
    .catch((error: unknown) => state.fault('proof', error))
}

async function writeVoid(state: AgentState, term: number): Promise<void> {
  const { proof } = state
  await state.writeProof({ term: proof.term <= term ? 0 : proof.term, voided: term })
}
