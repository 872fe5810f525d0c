import { isObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'

/** One line of a reference table: a key of a schema, with its path. */
export interface SchemaRow {
  readonly key: string
  readonly type: string
  readonly required: boolean
  /** As YAML would write it; empty: none. */
  readonly fallback: string
  readonly description: string
}

/** Schemas are trees written by hand; deeper than this one of them refers to itself. @unit levels */
const DEEPEST = 12

/** The keys of an object schema in their order, nested ones as `outer.inner`, lists as `outer[]`. */
export function schemaRows(schema: Schema, prefix = '', depth = 0): readonly SchemaRow[] {
  if (depth > DEEPEST) return []
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const rows: SchemaRow[] = []
  for (const [name, child] of Object.entries(objectOf(schema['properties']))) {
    if (!isObject(child)) continue
    const key = `${prefix}${name}`
    rows.push({
      key,
      type: typeText(child),
      required: required.includes(name),
      fallback: 'default' in child ? JSON.stringify(child['default']) : '',
      description: descriptionOf(child),
    })
    rows.push(...nestedRows(child, key, depth))
  }
  return rows
}

function nestedRows(
  child: Record<string, unknown>,
  key: string,
  depth: number,
): readonly SchemaRow[] {
  const { items, additionalProperties: named } = child
  return [
    ...schemaRows(child as Schema, `${key}.`, depth + 1),
    ...(isObject(items) ? schemaRows(items as Schema, `${key}[].`, depth + 1) : []),
    ...(isObject(named) ? schemaRows(named as Schema, `${key}.NAME.`, depth + 1) : []),
    ...alternatives(child).flatMap((one) => schemaRows(one as Schema, `${key}.`, depth + 1)),
  ]
}

function typeText(schema: Record<string, unknown>): string {
  const { enum: allowed, const: only, type, items } = schema
  if (Array.isArray(allowed)) return allowed.map((value) => JSON.stringify(value)).join(', ')
  if (only !== undefined) return JSON.stringify(only)
  if (schema['x-cel'] === true) return 'CEL expression'
  if (schema['x-octal'] === true) return 'quoted octal'
  if (schema['x-file'] !== undefined) return 'path on the controller'
  if (schema['x-secret'] === true) return 'a !secret'
  if (typeof schema['x-unit'] === 'string') return schema['x-unit']
  const choices = alternatives(schema).map(typeText)
  if (choices.length > 0) return [...new Set(choices)].join(' or ')
  if (type === 'array') return isObject(items) ? `list of ${typeText(items)}` : 'list'
  const names = Array.isArray(type) ? type : [type]
  const text = names.filter((name) => typeof name === 'string').join(' or ')
  return `${text === '' ? 'any' : text}${boundsText(schema)}`
}

function boundsText({ minimum, maximum }: Record<string, unknown>): string {
  const [from, to] = [minimum, maximum].map((bound) => JSON.stringify(bound))
  if (from === undefined) return to === undefined ? '' : `, at most ${to}`
  return to === undefined ? `, at least ${from}` : `, ${from} to ${to}`
}

function alternatives(schema: Record<string, unknown>): readonly Record<string, unknown>[] {
  const list = schema['oneOf'] ?? schema['anyOf']
  return Array.isArray(list) ? list.filter(isObject) : []
}

function descriptionOf({ description }: Record<string, unknown>): string {
  return typeof description === 'string' ? description : ''
}

function objectOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {}
}
