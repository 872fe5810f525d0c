import { differedBy } from '../pair/liveness.ts'
import type { Store } from './ports.ts'
import type { AgentState } from './state.ts'

/**
 * The follower by this slot is no copy of this leader's table (A7). Known over a restart of the agent: the
 * next one would pair with it, and find out by its own comparison an hour later. Slots' names are used
 * once, so the file speaks of nobody else, and is never cleared.
 */
export function followerDiffers(
  state: AgentState,
  store: Pick<Store, 'writeDiffers'>,
  slot: string | null,
): void {
  state.memory = differedBy(state.memory, slot)
  if (slot === null) return
  // Not waited for: what is decided now goes by the memory.
  store.writeDiffers(slot).catch((error: unknown) => state.fault('differs', error))
}
