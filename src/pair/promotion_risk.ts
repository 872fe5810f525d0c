import type { Facts } from './facts.ts'
import { canBeToldToLeadOn, peerOf } from './request_refusal.ts'

/** What a follower knows of what it may miss, before it is made leader by hand. */
export interface PromotionRisk {
  readonly self: string
  readonly leader: string
  /** The proof holds: it has all that the leader acknowledged. */
  readonly hasAll: boolean
  /** How far it was behind when the leader was last heard; null: nobody knows. */
  readonly lagBytes: number | null
  /** Since the leader's agent was last heard; null: not since this agent began. @unit milliseconds */
  readonly heardAgoMs: number | null
  /** What the leader was then: `paired`, `alone`; null: not known. */
  readonly mode: string | null
  /** The leader's agent answers now. */
  readonly answers: boolean
}

/** What is at risk if this follower leads now; null: it does not follow anybody. */
export function promotionRisk(
  { self, meta, promotable, lagBytes, peer }: Facts,
  heardAgoMs: number | null,
): PromotionRisk | null {
  if (meta === null || meta.leader === self) return null
  const { leader } = meta
  const answers = peer.contact === 'answers'
  const mode = peer.contact === 'answers' ? (peer.says.meta?.mode ?? null) : meta.mode
  return { self, leader, hasAll: promotable, lagBytes, heardAgoMs, mode, answers }
}

/**
 * What is at risk if a leader that has stopped, or whose writes wait, leads on by an operator's word; null:
 * this host does not lead, or needs no such word.
 */
export function leadsOnText(facts: Facts, heardAgoMs: number | null): readonly string[] | null {
  const { self, meta, peer } = facts
  if (meta === null || !canBeToldToLeadOn(facts)) return null
  const other = peerOf(self, meta)
  return [
    peer.contact === 'answers'
      ? `${other} answers now: it is not dead`
      : heardText(self, other, heardAgoMs),
    `if ${other} leads by now, both take writes until they hear of each other`,
    'what only the one of the older term took would not be in the cluster any more; it is kept on that host',
  ]
}

/** The same as sentences. */
export function riskText(risk: PromotionRisk): readonly string[] {
  const { self, leader, hasAll, lagBytes, heardAgoMs, mode, answers } = risk
  const heard = heardText(self, leader, heardAgoMs)
  const was = mode === null ? '' : mode === 'paired' ? ', and led a pair' : ', and led alone'
  const now = answers ? `${leader} answers now${was}: it is not dead` : `${heard}${was}`
  if (hasAll)
    return [now, `${self} has everything that ${leader} acknowledged in the pair: nothing is lost`]
  const behind =
    lagBytes === null
      ? `nobody knows how far ${self} is behind ${leader}`
      : `${self} was ${lagBytes} bytes behind ${leader} then`
  return [
    now,
    behind,
    `what ${leader} acknowledged and ${self} does not have would not be in the cluster any more; it is kept on ${leader}, if that comes back`,
  ]
}

function heardText(self: string, other: string, heardAgoMs: number | null): string {
  return heardAgoMs === null
    ? `${other} was never heard since the agent of ${self} began`
    : `${other} was heard ${Math.round(heardAgoMs / 1000)} s ago`
}

/** Without the proof only a leader that said itself that it stands still has acknowledged nothing more. */
const LOSSLESS: ReadonlySet<string> = new Set(['handed-back', 'leader-yields'])

/** A promotion by this rule may lose what the leader acknowledged. */
export function mayLose({ hasAll }: PromotionRisk, rule: string): boolean {
  return !hasAll && !LOSSLESS.has(rule)
}
