import { isObject, type Json } from '../core/json.ts'
import { isSecretRef, type Plan, type PlanStep } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'

/** Plays that either host may run: roles change. */
const EVERY_HOST = ['all', 'leader', 'follower']

/**
 * A mention of the peer's variables, or of the peer as a whole, in a template or an expression. A
 * word too many hands a host a secret that its peer has as well; a word too few would stop it.
 */
const PEER_VARS = /\bpeer\s*(?:\.\s*vars\b|\[)|(?:\{\{|#with|#each)\s*peer\s*\}\}/

/** Ids of the secrets that this host's tasks can use, in either role. */
export function secretsOfHost(
  { plays, handlers, vars, site }: Plan,
  host: string,
): readonly string[] {
  const mine = plays.filter(({ hosts }) => hosts === host || EVERY_HOST.includes(hosts))
  const steps: readonly PlanStep[] = [
    ...mine.flatMap(({ steps: own, gate }) => [...own, ...gate]),
    ...handlers,
  ]
  const own = [steps, vars[host], site]
  const usesPeer = PEER_VARS.test(JSON.stringify([steps, vars[host]]))
  return [...references(usesPeer ? [...own, vars] : own)]
}

/**
 * A name for each secret of a plan that is the same on every laptop. An id holds a file's whole path;
 * its name is what the `!secret` says, numbered where two folders say the same of their own.
 */
export function secretNames(
  plan: Plan,
  secrets: ReadonlyMap<string, Secret>,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  // In the order of the plan, which no laptop changes.
  for (const id of references(plan)) {
    const written = secrets.get(id)?.origin ?? id
    let name = written
    for (let count = 2; taken.has(name); count += 1) name = `${written}#${count}`
    taken.add(name)
    names.set(id, name)
  }
  return names
}

/** Names of all secrets that stand in a plan. */
export function secretReferences(plan: Plan): ReadonlySet<string> {
  return references(plan)
}

function references(value: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (isSecretRef(value)) found.add(value.$secret)
  else if (Array.isArray(value))
    for (const item of value as readonly Json[]) references(item, found)
  else if (isObject(value)) for (const item of Object.values(value)) references(item, found)
  return found
}
