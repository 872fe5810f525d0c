import type { Decision, Facts } from './facts.ts'
import { FORCED_LEADS } from './fsm.ts'

/** A third party that powers the peer off, and says whether it is. Each call ends within its bound, and never throws. */
export interface Power {
  run(command: PowerCommand, within: PowerBound): Promise<PowerAnswer>
}

export type PowerCommand = 'off' | 'status'

export interface PowerBound {
  readonly boundMs: number
  readonly stop: AbortSignal
}

export type PowerAnswer =
  /** It ended with 0. `off`: what it printed is what the site says of a host that is off. */
  | { readonly kind: 'ended'; readonly off: boolean; readonly text: string }
  /** It did not end in time, or not with 0, or can not be started. */
  | { readonly kind: 'silent'; readonly why: string }

/** What is known in an attempt at the peer's power. */
export interface Attempt {
  /** The last answer to `status`; null: it was not asked yet. */
  readonly status: PowerAnswer | null
  readonly ordered: PowerAnswer | null
  /** The peer was heard, or asked us, since `status` was asked last. */
  readonly heard: boolean
  /** `status` has called a host off that answered, and has not taken it back since. */
  readonly lied: boolean
  /** The attempt's time is over. */
  readonly over: boolean
}

/** What comes next in an attempt. */
export type PowerStep = PowerCommand | 'proven' | 'no proof'

interface PowerRow {
  readonly id: string
  readonly when: (attempt: Attempt) => boolean
  readonly step: PowerStep
  readonly why: string
}

const isSilent = (answer: PowerAnswer | null) => answer?.kind === 'silent'
const isOff = (answer: PowerAnswer | null) => answer?.kind === 'ended' && answer.off

/**
 * First match wins. A host that is off takes no writes, and none of its agents goes on from before: one
 * that is switched on again leads nothing, and its proof counts again only when its leader has spoken.
 * That is all that it proves: what the host did before it was off nobody else has seen, and so it is no
 * reason to lead after a boot (A5).
 */
// oxfmt-ignore
export const POWER_STEPS: readonly PowerRow[] = [
  { id: 'lied',      when: ({ lied }) => lied,                                  step: 'no proof', why: 'it calls a host off that answers: it means another machine' },
  { id: 'first',     when: ({ status }) => status === null,                     step: 'status',   why: 'a host that is off already need not be powered off' },
  { id: 'no-answer', when: ({ status }) => isSilent(status),                    step: 'no proof', why: 'no answer is never a proof' },
  { id: 'off',       when: ({ status, heard }) => isOff(status) && !heard,      step: 'proven',   why: 'it is off' },
  { id: 'order',     when: ({ ordered }) => ordered === null,                   step: 'off',      why: 'it is on' },
  { id: 'refused',   when: ({ ordered }) => isSilent(ordered),                  step: 'no proof', why: 'the power-off was not taken' },
  { id: 'too-late',  when: ({ over }) => over,                                  step: 'no proof', why: 'it was not seen to go off in time' },
  { id: 'again',     when: () => true,                                          step: 'status',   why: 'a machine takes a moment to go off, and its last words to arrive' },
]

/** What comes next, by which row. */
export function powerStep(attempt: Attempt): Pick<PowerRow, 'id' | 'step' | 'why'> {
  const row = POWER_STEPS.find(({ when }) => when(attempt))
  if (row === undefined) throw new Error('the table of power-offs is not total')
  return row
}

/** Its leader has stopped by its own word, and comes back by this host's alone (A7). */
const BY_AGREEMENT: ReadonlySet<string> = new Set(['leader-yields', 'handed-back'])

/**
 * Whether the peer has to be off before this host leads alone. `voided`: it has its void proof on its disk,
 * and so can not lead whatever comes (B7). tried: by an operator's word, where the peer does not answer.
 */
export function needsPowerOff(
  { policy, peer }: Pick<Facts, 'policy' | 'peer'>,
  { rule, goal }: Pick<Decision, 'rule' | 'goal'>,
  voided: boolean,
): 'no' | 'tried' | 'proven' {
  if (policy.fencing === undefined || voided) return 'no'
  // An operator says that the other host is off: it is made so where it can be, and not waited for.
  if (FORCED_LEADS.has(rule)) return peer.contact === 'answers' ? 'no' : 'tried'
  const leads = goal === 'go-alone' || goal === 'promote'
  return leads && !BY_AGREEMENT.has(rule) ? 'proven' : 'no'
}
