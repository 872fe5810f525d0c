import type { JsonObject } from '../core/json.ts'
import type { Plan } from '../core/plan.ts'
import type { PairState } from '../core/site.ts'
import { TwonodeError } from '../core/errors.ts'
import type { Names } from './ports.ts'

export interface NameSources {
  readonly plan: Plan
  readonly host: string
  readonly pair: PairState
  readonly facts: JsonObject
}

/** The names that hold for every step of one host; variables stand as written. */
export function namesOf({ plan, host, pair, facts }: NameSources): Names {
  const { site } = plan
  const describe = (name: string) => {
    const found = site.hosts.find((candidate) => candidate.name === name)
    if (found === undefined) throw new TwonodeError('E_BUG', `the plan has no host ${name}`)
    return { ...found, role: roleOf(name, pair), vars: plan.vars[name] ?? {} }
  }
  const peer = site.hosts.find((candidate) => candidate.name !== host)
  const own = describe(host)
  return {
    vars: own.vars,
    host: own,
    peer: peer === undefined ? undefined : describe(peer.name),
    site: { ...site, ...pair },
    facts,
  }
}

/** What a host is while this hostMeta holds. */
export function roleOf(host: string, { leader }: PairState): 'leader' | 'follower' {
  return host === leader ? 'leader' : 'follower'
}
