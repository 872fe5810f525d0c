import type { JsonObject } from '../core/json.ts'
import { isSecretRef, type Plan } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import type { PairState } from '../core/site.ts'
import { TwonodeError } from '../core/errors.ts'
import type { Names } from './ports.ts'

export interface NameSources {
  readonly plan: Plan
  readonly host: string
  readonly pair: PairState
  readonly facts: JsonObject
  readonly secrets: ReadonlyMap<string, Secret>
}

/** The names that hold for every step of one host; secrets are put in their places, tainted. */
export function namesOf({ plan, host, pair, facts, secrets }: NameSources): Names {
  const { site } = plan
  const describe = (name: string) => {
    const found = site.hosts.find((candidate) => candidate.name === name)
    if (found === undefined) throw new TwonodeError('E_BUG', `the plan has no host ${name}`)
    const vars = withSecrets(plan.vars[name] ?? {}, secrets)
    return { ...found, role: roleOf(name, pair), vars }
  }
  const peer = site.hosts.find((candidate) => candidate.name !== host)
  const own = describe(host)
  const { leader, term, branch, mode, slot } = pair
  return {
    vars: own.vars,
    host: own,
    peer: peer === undefined ? undefined : describe(peer.name),
    site: { ...site, leader, term, branch, mode, slot },
    facts,
  }
}

/** What a host is while this hostMeta holds. */
export function roleOf(host: string, { leader }: PairState): 'leader' | 'follower' {
  return host === leader ? 'leader' : 'follower'
}

/** A copy in which each reference to a secret is the secret. */
export function withSecrets(value: unknown, secrets: ReadonlyMap<string, Secret>): unknown {
  if (value === null || typeof value !== 'object' || value instanceof Secret) return value
  if (isSecretRef(value)) {
    const secret = secrets.get(value.$secret)
    if (secret === undefined)
      throw new TwonodeError('E_SECRET', `the secret ${value.$secret} did not come with the plan`)
    return secret
  }
  if (Array.isArray(value)) return value.map((entry) => withSecrets(entry, secrets))
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, withSecrets(entry, secrets)]),
  )
}
