import { TwonodeError } from '../core/errors.ts'
import type { StepEvent } from '../core/events.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'
import type { Seen, SeenHost } from './token_rotation.ts'

/** A site as a look before each step of a rotation finds it. */
export interface LookedPair {
  readonly seen: Seen
  readonly hosts: readonly {
    readonly name: string
    readonly leads: boolean
    readonly status: JsonObject
  }[]
}

/**
 * What the steps of a look say of the hosts that were chosen.
 *
 * @throws TwonodeError when nothing can be rotated as things are
 */
export function lookedPair(
  chosen: readonly string[],
  steps: ReadonlyMap<string, readonly StepEvent[]>,
): LookedPair {
  const found = chosen.map((name) => hostOf(name, steps.get(name) ?? []))
  const silent = found.find(({ status }) => status === undefined)
  if (silent !== undefined) throw notLooked(silent.name, chosen, steps)
  const hosts = found.map(({ name, token, status = {} }) => {
    if (token === undefined) throw noToken(name, steps.get(name) ?? [])
    return { name, token, status, leads: status['role'] === 'leader' }
  })
  const paused = hosts.find(({ status }) => status['paused'] === true)
  if (paused !== undefined)
    throw new TwonodeError('E_FAILED', `${paused.name} is paused by an operator`, {
      hint: 'Nobody would take over from a host whose k3s starts anew: `twonode resume` first.',
    })
  const leading = hosts.filter(({ leads }) => leads)
  const [leader] = leading
  if (leader === undefined || leading.length > 1)
    throw leading.length > 1 ? bothLead() : nobodyLeads(chosen)
  const follower = hosts.find((host) => host !== leader)
  return { seen: { leader: leader.token, follower: follower?.token }, hosts }
}

export function leaderOf({ seen }: LookedPair): string {
  return seen.leader.name
}

function hostOf(name: string, steps: readonly StepEvent[]) {
  const resultOf = (task: string) => steps.find((step) => step.task === task)?.result
  const { code, stdout } = resultOf('the agent') ?? {}
  const said = code === 0 && typeof stdout === 'string' ? parseJson(stdout) : undefined
  return {
    name,
    status: isObject(said) ? (said as JsonObject) : undefined,
    token: tokenOf(name, resultOf('the token')),
  }
}

function tokenOf(name: string, result: JsonObject | undefined): SeenHost | undefined {
  const { known, held, served, others } = result ?? {}
  if (typeof known !== 'boolean' || typeof held !== 'boolean') return undefined
  if (typeof served !== 'boolean' || typeof others !== 'number') return undefined
  return { name, known, held, served, others }
}

function notLooked(
  name: string,
  chosen: readonly string[],
  steps: ReadonlyMap<string, readonly StepEvent[]>,
): TwonodeError {
  const other = chosen.find((host) => host !== name)
  const what = steps.has(name) ? `the agent of ${name} does not answer` : `${name} does not answer`
  return new TwonodeError('E_UNREACHABLE', what, {
    hint:
      other === undefined
        ? '`twonode status` says how the pair stands.'
        : `Bring it back, or pass \`--limit ${other}\`: ${name} gets a new token when it is back and this is run again.`,
  })
}

function noToken(name: string, steps: readonly StepEvent[]): TwonodeError {
  const trouble = steps.find(({ task }) => task === 'the token')?.trouble
  return new TwonodeError(
    'E_FAILED',
    `${name}: ${trouble?.message ?? "what k3s has in the datastore can't be looked at"}`,
  )
}

function nobodyLeads(chosen: readonly string[]): TwonodeError {
  const [only, ...more] = chosen
  return more.length === 0
    ? new TwonodeError('E_FAILED', `${only} follows: a new token is written where the leader is`, {
        hint: 'Leave --limit out; with the leader down, wait until the other host leads.',
      })
    : new TwonodeError('E_FAILED', 'nobody leads', STATUS)
}

function bothLead(): TwonodeError {
  return new TwonodeError('E_FAILED', 'both hosts lead', STATUS)
}

const STATUS = { hint: '`twonode status` says how the pair stands, and what to do.' }
