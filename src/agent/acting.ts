import { messageOf } from '../core/errors.ts'
import { decide } from '../pair/fsm.ts'
import type { Asked, Decision, Facts } from '../pair/facts.ts'
import { GOALS, type Owed } from '../pair/goals.ts'
import { type HostMeta, sameHostMeta } from '../pair/host_meta.ts'
import type { ConvergeOutcome, Ports } from './ports.ts'
import { keptOf, setAsideTeller } from './set_aside.ts'
import type { AgentState } from './state.ts'

/** One goal being carried out. */
export interface Act {
  readonly state: AgentState
  readonly ports: Ports
  readonly decision: Decision
  readonly asked: Asked | null
  /** Something more pressing has come. */
  readonly stop: AbortSignal
}

/** What became of a request: a row of the table took it up, or why not. */
export interface AskAnswer {
  readonly ok: boolean
  readonly rule: string
  readonly why: string
}

/** A request that waits for the next decision. */
export interface Waiting {
  readonly asked: Asked
  readonly resolve: (answer: AskAnswer) => void
}

/** Converges the tags, or those of the goal, for what hostMeta says now; never throws. */
export async function converge(
  act: Act,
  more: Partial<Owed> & { readonly beforeUnlock?: () => Promise<void> } = {},
): Promise<ConvergeOutcome> {
  const spec = GOALS[act.decision.goal]
  const wanted = { tags: spec.tags ?? [], urgent: spec.urgent, ...more }
  const { state, ports, stop } = act
  const { meta } = state
  if (meta === null) return { kind: 'failed', task: null, message: 'there is no hostMeta' }
  const started = ports.clock.now()
  const outcome = await ports.engine
    .converge({ ...wanted, meta, stop, told: setAsideTeller(state.aside, ports) })
    .catch((error: unknown): ConvergeOutcome => {
      const message = messageOf(error)
      return { kind: 'failed', task: null, message }
    })
  state.aside = { ...state.aside, kept: keptOf(outcome) ?? state.aside.kept }
  ports.note({
    kind: 'converge',
    tags: wanted.tags,
    outcome: outcome.kind,
    ms: ports.clock.now() - started,
    message: outcome.kind === 'failed' ? outcome.message : null,
  })
  return outcome
}

/**
 * Writes the next hostMeta if what was decided is still so: a void may have come in, or an answer. True
 * when it is on the disk.
 */
export async function change(
  { state, asked, stop }: Act,
  still: (facts: Facts) => boolean,
  next: (facts: Facts) => HostMeta | null | Promise<HostMeta | null>,
): Promise<boolean> {
  return await state.gate.run(async () => {
    const facts = state.facts(asked)
    if (stop.aborted || !still(facts)) return false
    const meta = await next(facts)
    if (meta !== null) await state.writeMeta(meta)
    return meta !== null
  })
}

/** The next version of the hostMeta that this host has. */
export function from(next: (meta: HostMeta) => HostMeta): (facts: Facts) => HostMeta | null {
  return ({ meta }) => (meta === null ? null : next(meta))
}

/** Decided again, from what is known by now, it is the same goal. */
export function decidedAgain({ decision }: Act): (facts: Facts) => boolean {
  return (facts) => decide(facts).goal === decision.goal
}

/** The same hostMeta, which this host leads. */
export function unchanged(facts: Facts, meta: HostMeta): boolean {
  return facts.meta !== null && facts.meta.leader === facts.self && sameHostMeta(facts.meta, meta)
}
