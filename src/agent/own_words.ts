import type { PeerSays } from '../pair/facts.ts'
import { judge } from '../pair/judge.ts'
import { needsNewSlot } from '../pair/subscription_trouble.ts'
import type { AgentState } from './state.ts'

/** What a host's agent says of itself to the peer's. */
export function ownWords(state: AgentState, now: number): PeerSays {
  const { gateway } = judge(state.memory, state.judgeAt(now))
  const { stream, subscription } = state.memory
  const flushed = stream?.seen.flushedBytes ?? null
  return {
    meta: state.meta,
    gateway: gateway === 'up' ? 'up' : 'down',
    paused: state.paused,
    impaired: state.impaired,
    settled: state.isSettled && state.owed === null,
    whole: state.leads || state.isWhole,
    proofTerm: state.promotable ? state.proof.term : null,
    voided: state.proof.voided,
    lacksSlot: !state.leads && needsNewSlot(subscription, state.meta?.slot ?? null),
    ...(!state.leads && now < state.leavingUntil ? { leaving: true as const } : {}),
    followerBehindBytes:
      state.leads && stream !== null && flushed !== null
        ? Math.max(0, stream.seen.writtenBytes - flushed)
        : null,
  }
}
