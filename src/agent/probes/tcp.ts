import { isReachable } from '../../host/reachable.ts'
import type { Clock, Heard } from '../ports.ts'

export interface TcpTarget {
  readonly address: string
  readonly port: number
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** Whether a port takes connections; null if not in time. */
export async function probeTcp(target: TcpTarget, clock: Clock): Promise<Heard | null> {
  const sentAt = clock.now()
  const isOpen = await isReachable(target.address, target.port, target.timeoutMs)
  return isOpen ? { sentAt, arrivedAt: clock.now() } : null
}
