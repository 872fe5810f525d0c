import type { Memory } from './liveness.ts'

/**
 * A follower that has not heard its leader's agent for this long, and has not promoted, may have been
 * passed: the leader may only be cut off from it, and acknowledge alone since. A promotion that nothing
 * holds up comes within seconds, one of an agent's silence within 20 s (AGENT_GONE_MS), and one after a
 * crash of the own PostgreSQL within 30 s.
 */
export const PROOF_UNUSED_MS = 60_000

/** What a pause, a full disk or the flap guard has held up for too long is an operator's to decide. */
export function aged(memory: Memory, now: number): Memory {
  const { agent, inDoubt } = memory
  if (inDoubt || agent.missed === 0 || now - agent.heardAt < PROOF_UNUSED_MS) return memory
  return { ...memory, inDoubt: true }
}
