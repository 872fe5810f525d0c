import { forkOf, lacksFork, markerAfter, withFork } from '../pair/goals.ts'
import { type HostMeta, sameHostMeta } from '../pair/host_meta.ts'
import { type Act, converge } from './acting.ts'

/** What is owed, or else all of the role; a leader of a new branch then writes down its fork point. */
export async function settle(act: Act): Promise<boolean> {
  const { state } = act
  const { meta } = state
  if (meta === null) return false
  // A promotion that was cut is no routine.
  const unfinished = state.leads && lacksFork(meta)
  if (state.owed === null && unfinished) state.owed = { tags: ['role'], urgent: true }
  const { owed } = state
  const { untouchedTerm } = state
  state.reads.ended()
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
