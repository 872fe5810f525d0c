import type { Facts } from '../pair/facts.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { type Act, converge } from './acting.ts'

/** What an agent knows of what may be changed in Kubernetes. */
interface Restricted {
  readonly settings: { readonly restricts: boolean }
  readonly leads: boolean
  readonly meta: HostMeta | null
  /** The last term, and so mode, of which Kubernetes was told; 0: none. */
  readonly restrictedTerm: number
}

export function restrictionOf(about: Restricted): Facts['restriction'] {
  const { settings, leads, meta, restrictedTerm } = about
  if (!settings.restricts || !leads) return 'done'
  return restrictedTerm === meta?.term ? 'done' : 'due'
}

/** The mode may be another by the time it is done: then it is due again. */
export async function restrict(act: Act): Promise<boolean> {
  const { state } = act
  const term = state.meta?.term ?? 0
  const outcome = await converge(act, { tags: ['restrict'], urgent: false })
  if (outcome.kind !== 'done') return false
  state.restrictedTerm = term
  return true
}
