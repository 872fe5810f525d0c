import type { HostMeta } from '../pair/host_meta.ts'
import type { Ports } from './ports.ts'
import type { Settings } from './settings.ts'

/**
 * A leader's agent that starts anew within the time after which a round is late (A8) goes on where the one
 * before it ended: had that one been impaired, superseded or handed over, it had taken kine's permit away.
 * A peer that is lost in the same moment is then lost as ever, and this leader goes alone: it would stop
 * taking writes for an operator otherwise, with nobody else to lead.
 */
export async function goesOn(
  meta: HostMeta | null,
  { self, timing }: Pick<Settings, 'self' | 'timing'>,
  { clock, heartbeat, store }: Pick<Ports, 'clock' | 'heartbeat' | 'store'>,
): Promise<boolean> {
  const { lastBeatAt } = heartbeat
  if (meta?.leader !== self || lastBeatAt === null) return false
  const silence = clock.now() - lastBeatAt
  return silence >= 0 && silence < timing.lateMs && (await store.isPermitted(meta))
}
