import { isObject, type Json } from '../core/json.ts'
import type { Schema, SchemaProblem, Validate } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { schemaAt } from './step_context.ts'
import { unknownPaths } from './tree.ts'
import { mapValues, UNKNOWN } from './values.ts'
import type { Path } from './yaml_file.ts'

/**
 * Stands in args for text that only the host knows. No one can write it: a key that holds it tells
 * that the object is not known.
 */
export const PLACEHOLDER = '\u0000unknown'

/**
 * Validates args of which some leaves are not known. What is said of those leaves is ignored, and a
 * word about what lies around them counts only if it is said whichever allowed value they have.
 *
 * @returns the problems, and the args with defaults and placeholders filled in
 */
export function validateKnown(
  module: string,
  args: unknown,
  { schema, validate }: { readonly schema: Schema; readonly validate: Validate },
): { readonly problems: readonly SchemaProblem[]; readonly filled: unknown } {
  const unknown = unknownPaths(args)
  const rounds = Math.max(1, ...unknown.map((path) => candidates(schemaAt(schema, path)).length))
  const tries = Array.from({ length: rounds }, (_, round) => {
    const filled = fill(args, [], (path) => {
      const values = candidates(schemaAt(schema, path))
      return values[round % values.length] ?? null
    })
    return { filled, problems: validate(module, filled) }
  })
  const [first] = tries
  const certain = (first?.problems ?? []).filter(
    (problem) =>
      !unknown.some((path) => startsWith(problem.path, path)) &&
      tries.every(({ problems }) => problems.some((other) => same(other, problem))),
  )
  return { problems: certain, filled: first?.filled }
}

/** Values that an unknown leaf may have: each allowed one, or one of the right type. */
function candidates(schema: Schema): readonly Json[] {
  if (Array.isArray(schema['enum']) && schema['enum'].length > 0) return schema['enum']
  const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
  if (types.includes('boolean')) return [true, false]
  if (types.includes('integer') || types.includes('number')) return [1]
  if (types.includes('string') || types.includes(undefined)) return [PLACEHOLDER]
  return [types.includes('array') ? [] : {}]
}

/** A copy with each unknown leaf replaced; secrets stay themselves. */
function fill(value: unknown, path: Path, by: (path: Path) => Json): unknown {
  if (value === UNKNOWN) return by(path)
  if (Array.isArray(value)) return value.map((item, i) => fill(item, [...path, i], by))
  if (!isObject(value) || value instanceof Secret) return value
  return mapValues(value, (item, key) => fill(item, [...path, key], by))
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((step, i) => path[i] === step)
}

function same(a: SchemaProblem, b: SchemaProblem): boolean {
  return a.message === b.message && a.path.join('/') === b.path.join('/')
}
