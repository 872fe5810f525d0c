import type { Plan } from '../core/plan.ts'

/**
 * Whether what the plan does depends on who leads. Told by its words, `with` and indexing included:
 * rather once too often than a second leader.
 */
export function usesRoles({ plays, handlers, vars }: Plan): boolean {
  if (plays.some(({ hosts }) => hosts === 'leader' || hosts === 'follower')) return true
  const steps = [...plays.flatMap((play) => [...play.steps, ...play.gate]), ...handlers]
  if (steps.some(({ module }) => module === 'host_meta')) return true
  const words = steps.map(({ args, vars: own, when, loop, until }) => [
    args,
    own,
    when,
    loop,
    until,
  ])
  return NAMES_ROLES.test(JSON.stringify([words, vars]))
}

const NAMES_ROLES = /\b(?:role|leader)\b|\bsite\b\W{1,4}(?:term|branch|mode|slot|began|fork)\b/
