import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'
import { isSecretRef } from '../core/plan.ts'
import { didYouMean } from './nearest.ts'
import { likelyDuration, type Range } from './inventory_ranges.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'
import type { Path } from './yaml_file.ts'

/** One thing that the schema refuses. `key`: it is the key at the end of `path` that is wrong. */
export interface Misfit {
  readonly path: Path
  readonly message: string
  readonly hint?: string
  readonly key?: boolean
}

/**
 * Checks a value against the part of JSON Schema that inventories and playbooks use (type, enum,
 * properties, required, additionalProperties, items, bounds, pattern, default) and `x-unit`,
 * `x-secret`. A compiler of schemas costs 70 ms at start; these two shapes are known, and errors
 * about them should say what a person would.
 *
 * @returns the value with defaults filled in
 */
export function checkSchema(
  schema: Schema,
  value: Json,
  path: Path,
  report: (misfit: Misfit) => void,
): Json {
  if (isSecretRef(value)) {
    if (schema['x-secret'] === undefined && schema['type'] !== undefined)
      report({ path, message: 'a secret can not be given here' })
    return value
  }
  if (schema['x-secret'] === true) {
    report({
      path,
      message: 'must be a secret',
      hint: 'Write !secret {file: PATH}, !secret {env: NAME} or !secret {exec: [ARGV…]}.',
    })
    return value
  }
  const wrong = typeMisfit(schema, value) ?? boundsMisfit(schema, value)
  if (wrong !== undefined) {
    report({ path, ...wrong })
    return value
  }
  if (Array.isArray(value)) return checkItems(schema, value, path, report)
  return isObject(value) ? checkObject(schema, value, path, report) : value
}

function checkItems(
  schema: Schema,
  value: readonly Json[],
  path: Path,
  report: (misfit: Misfit) => void,
): Json {
  const items = schema['items']
  if (!isObject(items)) return value
  return value.map((item, i) => checkSchema(items, item, [...path, i], report))
}

function checkObject(
  schema: Schema,
  value: JsonObject,
  path: Path,
  report: (misfit: Misfit) => void,
): Json {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
  const others = schema['additionalProperties']
  const known = Object.keys(properties)
  const checked: Record<string, Json> = {}
  for (const [key, item] of Object.entries(value)) {
    const at = [...path, key]
    const own = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (own !== undefined) checked[key] = checkSchema(own, item, at, report)
    else if (others === false)
      report({ path: at, message: `unknown key ${key}`, hint: didYouMean(key, known), key: true })
    else checked[key] = isObject(others) ? checkSchema(others, item, at, report) : item
  }
  for (const key of (schema['required'] ?? []) as readonly string[])
    if (!Object.hasOwn(value, key)) report({ path, message: `${key} is missing` })
  for (const [key, own] of Object.entries(properties))
    if (!Object.hasOwn(value, key) && own['default'] !== undefined) checked[key] = own['default']
  return checked
}

type Wrong = Pick<Misfit, 'message' | 'hint'>

function typeMisfit(schema: Schema, value: Json): Wrong | undefined {
  const wanted = schema['type']
  const types = (Array.isArray(wanted) ? wanted : wanted === undefined ? [] : [wanted]) as string[]
  if (types.length === 0 || types.some((type) => hasType(type, value))) return undefined
  const message = `must be ${types.map((type) => TYPE_NAMES[type] ?? type).join(' or ')}, not ${nameOf(value)}`
  const hint = typeHint(schema, types, value)
  return hint === undefined ? { message } : { message, hint }
}

function typeHint(schema: Schema, types: readonly string[], value: Json): string | undefined {
  if (types.includes('string') && typeof value === 'number') {
    if (schema['x-unit'] === 'duration')
      return `Give it a unit: "${likelyDuration(value, schema['x-range'] as Range | undefined)}".`
    if (schema['x-unit'] === 'size') return `Give it a unit: "${value}MB".`
    return `Write it in quotes: "${value}".`
  }
  if (types.includes('array') && typeof value === 'string')
    return `Write a list, be it of one: [${JSON.stringify(value)}].`
  if (types.includes('boolean') && typeof value === 'string') return 'Write true or false.'
  if ((types.includes('integer') || types.includes('number')) && typeof value === 'string')
    return 'Write the number without quotes and without a unit.'
  return undefined
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  null: 'null',
}

function hasType(type: string, value: Json): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'null') return value === null
  return type === 'object' ? isObject(value) : typeof value === type
}

function nameOf(value: Json): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  return TYPE_NAMES[typeof value] ?? typeof value
}

function boundsMisfit(schema: Schema, value: Json): Wrong | undefined {
  if (Array.isArray(schema['enum']) && !schema['enum'].includes(value)) {
    const allowed = schema['enum'].map(String)
    const hint = typeof value === 'string' ? didYouMean(value, allowed) : undefined
    return {
      message: `must be one of ${allowed.join(', ')}`,
      ...(hint === undefined ? {} : { hint }),
    }
  }
  if (typeof value === 'number') return rangeMisfit(schema, value, '')
  if (Array.isArray(value)) return rangeMisfit(renamed(schema, 'Items'), value.length, ' entries')
  return typeof value === 'string' ? textMisfit(schema, value) : undefined
}

function renamed(schema: Schema, suffix: string): Schema {
  const [minimum, maximum] = [schema[`min${suffix}`], schema[`max${suffix}`]]
  return {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  }
}

function rangeMisfit(schema: Schema, value: number, what: string): Wrong | undefined {
  const [from, to] = [schema['minimum'], schema['maximum']]
  const tooSmall = typeof from === 'number' && value < from
  const tooBig = typeof to === 'number' && value > to
  if (!tooSmall && !tooBig) return undefined
  if (typeof from === 'number' && from === to)
    return { message: `must have exactly ${from}${what}, not ${value}` }
  const bounds = [
    typeof from === 'number' ? `at least ${from}` : undefined,
    typeof to === 'number' ? `at most ${to}` : undefined,
  ]
  return { message: `must be ${bounds.filter(Boolean).join(' and ')}${what}, not ${value}` }
}

function textMisfit(schema: Schema, value: string): Wrong | undefined {
  const unit = schema['x-unit']
  if (unit === 'duration' && !new RegExp(DURATION_PATTERN).test(value))
    return {
      message: `${value} is no duration`,
      hint: 'Write a number and ms, s, m, h or d: "250ms".',
    }
  if (unit === 'size' && !new RegExp(SIZE_PATTERN).test(value))
    return {
      message: `${value} is no size`,
      hint: 'Write a number and B, kB, MB, GB or TB: "64MB".',
    }
  const { pattern, minLength } = schema
  if (typeof minLength === 'number' && value.length < minLength)
    return { message: 'must not be empty' }
  if (typeof pattern !== 'string' || unit !== undefined || new RegExp(pattern).test(value))
    return undefined
  const reason = schema['x-pattern-hint']
  return {
    message: `${value} does not have the right form`,
    hint: typeof reason === 'string' ? reason : `It must match ${pattern}.`,
  }
}
