import type { Plan } from '../core/plan.ts'
import type { ReadySite } from './compile_sites.ts'

/** A warning for each `-e NAME=VALUE` that no site's plan reads: a typing error, mostly. Pure. */
export function unreadVars(
  extraVars: readonly string[],
  sites: readonly ReadySite[],
): readonly string[] {
  // A file of variables may serve several playbooks; what is typed is meant for this one.
  const typed = extraVars.filter((option) => !option.startsWith('@'))
  const names = new Set(typed.map((option) => option.split('=', 1)[0] ?? ''))
  return [...names]
    .filter((name) => !sites.some(({ compiled }) => reads(compiled.plan, name)))
    .map((name) => `-e ${name}: no task reads vars.${name}`)
}

/** True if the variable may be read; that `vars` is handed on as a whole counts as reading it. */
function reads({ plays, handlers, vars }: Plan, name: string): boolean {
  const text = JSON.stringify([plays, handlers, vars])
  const own = new RegExp(`\\bvars\\s*[.[]\\W*${name}\\b|\\b${name}\\W+in\\s+vars\\b`)
  return own.test(text) || /\b(with|each|in|lookup)\s+vars\b/.test(text)
}
