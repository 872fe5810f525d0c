import { Fault } from './fault.ts'
import type { Reference } from './template.ts'
import { lookup, type Names } from './values.ts'

/** Where a part of a template stands: what `this`, `../`, `@index` and block parameters mean in it. */
export interface Scope {
  readonly context: unknown
  readonly outer: Scope | undefined
  readonly data: Readonly<Record<string, unknown>>
  readonly params: Readonly<Record<string, unknown>>
}

export function rootScope(names: Names): Scope {
  return { context: names, outer: undefined, data: { root: names }, params: {} }
}

/** The scope of one turn of `each`, or of `with`. */
export function innerScope(
  outer: Scope,
  context: unknown,
  more: Pick<Scope, 'data' | 'params'>,
): Scope {
  return {
    context,
    outer,
    data: { root: outer.data['root'], ...more.data },
    params: { ...outer.params, ...more.params },
  }
}

/**
 * The value of a name.
 *
 * @throws Fault (E_VARIABLE) if there is none: even where Handlebars would give nothing
 */
export function resolve(reference: Reference, scope: Scope): unknown {
  const { parts, at, original } = reference
  let frame: Scope | undefined = scope
  for (let up = reference.depth; up > 0; up--) frame = frame?.outer
  if (frame === undefined) throw new Fault('E_TEMPLATE', `${original} goes above the template`, at)
  const [first = ''] = parts
  const byParam = !reference.scoped && reference.depth === 0 && Object.hasOwn(frame.params, first)
  const start = reference.data ? frame.data : byParam ? frame.params : frame.context
  const found = lookup(start, parts, reference.data ? ['@'] : [])
  if ('value' in found) return found.value
  const isTop = frame.outer === undefined || reference.data
  const hint = isTop
    ? found.hint
    : `${found.hint} Inside a block, \`@root.${parts.join('.')}\` names what is outside.`
  throw new Fault('E_VARIABLE', found.missing.replace('@.', '@'), at, hint)
}
