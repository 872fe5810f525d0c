import type { Policy } from '../pair/facts.ts'
import type { Timing } from '../pair/timing.ts'

/** What an agent is told of its site, once. */
export interface Settings {
  readonly self: string
  readonly timing: Timing
  readonly policy: Policy
  /** What may be changed in Kubernetes depends on the mode. */
  readonly restricts: boolean
}
