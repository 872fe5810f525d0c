import type { HelloEvent, StepEvent } from '../core/events.ts'
import { isObject } from '../core/json.ts'
import type { Site } from '../core/site.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { hostMetaOf } from './pair_state.ts'

/** What a laptop knows of one host of a pair, to say how the pair stands. */
export interface HostView {
  readonly name: string
  /** left-out: `--limit` named the other host alone · silent: it could not be looked at. */
  readonly reached: 'yes' | 'silent' | 'left-out'
  /** Null: it has none that this site may believe, or it was not reached. */
  readonly meta: HostMeta | null
  /** Undefined: its agent did not answer, or was not asked. */
  readonly agent: AgentSays | undefined
  /** As systemd calls their state; a service that was not asked for is missing. */
  readonly services: Readonly<Partial<Record<Service, string>>>
}

/** What an agent says of its host that hostMeta does not. */
export interface AgentSays {
  readonly paused: boolean
  /** Until when, in words; null: not known, or not paused. */
  readonly pauseEnds: string | null
  readonly frozen: boolean
  /** It led, and stopped taking writes. */
  readonly impaired: boolean
  /** Its peer's agent spoke in the last round, or in the one before. */
  readonly hearsPeer: boolean
  /** Branches that lost here, and had what nobody has looked at yet. */
  readonly salvagesWaiting: number
}

type Service = (typeof SERVICES)[number]

/** What the tasks of status.yaml register that ask for a service's state. */
const SERVICES = ['postgres', 'kine', 'agent'] as const

/** What the task of status.yaml and of verify.yaml registers that asks the agent. */
export const AGENT_SAYS = 'agentSays'

/** What has been heard of the hosts of a site so far. */
export interface Heard {
  readonly hellos: ReadonlyMap<string, HelloEvent>
  readonly steps: ReadonlyMap<string, readonly StepEvent[]>
}

/** Both hosts of a site, as they were looked at. Pure. */
export function hostViews(
  site: Site,
  participants: readonly { readonly name: string }[],
  { hellos, steps }: Heard,
): readonly HostView[] {
  return site.hosts.map(({ name }) => {
    const hello = hellos.get(name)
    const nothing = { name, meta: null, agent: undefined, services: {} }
    if (!participants.some((host) => host.name === name)) return { ...nothing, reached: 'left-out' }
    if (hello === undefined) return { ...nothing, reached: 'silent' }
    const meta = hello.hostMeta === null ? '' : hostMetaOf(site, hello.hostMeta)
    const said = steps.get(name) ?? []
    const states = SERVICES.flatMap((service) => {
      const state = stdoutOf(said, service)
      return state === undefined ? [] : [[service, state] as const]
    })
    return {
      name,
      reached: 'yes',
      meta: typeof meta === 'string' ? null : meta,
      agent: agentSays(said),
      services: Object.fromEntries(states),
    }
  })
}

/** What its agent said; undefined where it did not answer in words that we know. */
export function agentSays(steps: readonly StepEvent[]): AgentSays | undefined {
  const said = parsed(stdoutOf(steps, AGENT_SAYS))
  if (said === undefined) return undefined
  const { paused, pauseEnds, frozen, impaired, peer, salvages } = said
  if (typeof paused !== 'boolean' || typeof frozen !== 'boolean') return undefined
  const hearsPeer = peer === 'answers' || peer === 'missed'
  const ends = typeof pauseEnds === 'string' ? pauseEnds : null
  const waiting = isObject(salvages) ? salvages['waiting'] : []
  const salvagesWaiting = Array.isArray(waiting) ? waiting.length : 0
  const flags = { paused, frozen, impaired: impaired === true, hearsPeer }
  return { ...flags, pauseEnds: ends, salvagesWaiting }
}

function stdoutOf(steps: readonly StepEvent[], register: string): string | undefined {
  const stdout = steps.find((step) => step.register === register)?.result?.['stdout']
  return typeof stdout === 'string' && stdout.trim() !== '' ? stdout.trim() : undefined
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
