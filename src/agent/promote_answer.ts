import type { JsonObject } from '../core/json.ts'
import { leadsOnText, promotionRisk, riskText } from '../pair/promotion_risk.ts'
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
  if (options['check'] === true) return say(riskOf(core))
  const answer = await core.ask({ kind: 'promote', force })
  taken(answer, say, () => whyNotPromoted(core.facts(), force))
}

function riskOf(core: AgentParts['core']): JsonObject {
  const [facts, heardAgoMs] = [core.facts(), core.desk.heardAgoMs()]
  const risk = promotionRisk(facts, heardAgoMs)
  if (risk === null) {
    const words = leadsOnText(facts, heardAgoMs) ?? []
    return { kind: 'risk', isAtRisk: words.length > 0, message: words.join('\n') }
  }
  const known = JSON.parse(JSON.stringify(risk)) as JsonObject
  return { kind: 'risk', ...known, isAtRisk: !risk.hasAll, message: riskText(risk).join('\n') }
}
