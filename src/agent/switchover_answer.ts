import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { decide, takesUp } from '../pair/fsm.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { whyNotSwitched } from '../pair/request_refusal.ts'
import { planText } from '../pair/switchover.ts'
import type { AgentParts } from './assemble.ts'
import { taken } from './taken.ts'

type Say = (data: JsonObject) => void

/**
 * `twonode switchover [--to HOST] [--check] [--though-paused]` of a host: the plan, and unless only that is
 * wanted the request. What the rules refuse is refused in both. Who asked follows it by status and timeline.
 */
export async function answerSwitchover(
  { core }: Pick<AgentParts, 'core'>,
  options: JsonObject,
  say: Say,
): Promise<void> {
  const { to, check } = options
  const thoughPaused = options['though-paused'] === true
  const { self, meta } = core.facts()
  if (meta !== null && typeof to === 'string' && leadsAlready(meta, to))
    return say({ kind: 'nothing', message: `${to} leads already: nothing is to be done` })
  const asked = { kind: 'switchover', thoughPaused } as const
  const refusal = () => whyNotSwitched(core.facts(), thoughPaused)
  const decision = decide({ ...core.facts(), asked })
  const other = meta?.hosts.find(({ name }) => name !== self)?.name
  if (meta === null || other === undefined || !takesUp(decision))
    return taken({ ...decision, ok: false }, say, refusal)
  const plan = { from: self, to: other, term: meta.term }
  const message = planText(plan).join('\n')
  say({ kind: 'plan', ...plan, message })
  if (check !== true) taken(await core.ask(asked), say, refusal)
}

function leadsAlready({ hosts, leader }: HostMeta, to: string): boolean {
  if (hosts.some(({ name }) => name === to)) return leader === to
  const names = hosts.map(({ name }) => name).join(' and ')
  throw new TwonodeError('E_USAGE', `--to: there is no host ${to} in this pair`, {
    hint: `The pair is ${names}.`,
  })
}
