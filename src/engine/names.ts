import type { JsonObject } from '../core/json.ts'
import type { Plan } from '../core/plan.ts'
import { sidesOf, siteOfHost, type PairState, type SiteHost } from '../core/site.ts'
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
  const { own, peer } = sidesOf(site, host)
  const describe = (one: SiteHost) => ({
    ...one,
    role: roleOf(one.name, pair),
    vars: plan.vars[one.name] ?? {},
  })
  return {
    vars: plan.vars[host] ?? {},
    host: describe(own),
    peer: describe(peer),
    site: { ...siteOfHost(site, host), ...pair },
    facts,
  }
}

/** What a host is while this hostMeta holds. */
export function roleOf(host: string, { leader }: PairState): 'leader' | 'follower' {
  return host === leader ? 'leader' : 'follower'
}
