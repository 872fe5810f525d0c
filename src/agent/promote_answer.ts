import type { JsonObject } from '../core/json.ts'
import { promotionRisk, riskText } from '../pair/promotion_risk.ts'
import { whyNotPromoted } from '../pair/request_refusal.ts'
import type { AgentParts } from './assemble.ts'
import { taken } from './taken.ts'

type Say = (data: JsonObject) => void

/**
 * `twonode promote [--force]` of a host. With `check` only what is at risk is said: who asks is asked back
 * by his own command line. What a promotion without the proof may lose is a line of the journal, whoever
 * wanted it.
 */
export async function answerPromote(
  { core }: Pick<AgentParts, 'core'>,
  options: JsonObject,
  say: Say,
): Promise<void> {
  const force = options['force'] === true
  const risk = promotionRisk(core.facts(), core.desk.heardAgoMs())
  if (options['check'] === true) {
    const known = JSON.parse(JSON.stringify(risk)) as JsonObject | null
    const message = risk === null ? '' : riskText(risk).join('\n')
    return say({ kind: 'risk', ...known, isAtRisk: risk !== null && !risk.hasAll, message })
  }
  const answer = await core.ask({ kind: 'promote', force })
  taken(answer, say, () => whyNotPromoted(core.facts(), force))
}
