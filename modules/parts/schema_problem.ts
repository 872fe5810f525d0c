import type { ErrorObject } from 'ajv'
import { closest, distance } from 'fastest-levenshtein'
import { isObject } from '../../src/core/json.ts'
import type { Schema, SchemaProblem } from '../../src/core/module.ts'

/** An error of ajv in the words of someone who wrote a playbook. */
export function problemOf(error: ErrorObject, schema: Schema): SchemaProblem {
  const path = pathOf(error.instancePath)
  const around = parentSchema(error.schemaPath, schema)
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params['additionalProperty'])
      return {
        path: [...path, key],
        message: `unknown key '${key}'`,
        unknownKey: true,
        hint: knownKeys(key, around),
      }
    }
    case 'propertyNames': {
      const key = String(error.params['propertyName'])
      return {
        path: [...path, key],
        message: `unknown key '${key}'`,
        unknownKey: true,
        hint: knownNames(key, around),
      }
    }
    case 'required':
      return plain(path, `'${String(error.params['missingProperty'])}' is missing`)
    case 'dependencies':
      return plain(
        path,
        `'${String(error.params['property'])}' needs '${String(error.params['missingProperty'])}' beside it`,
      )
    case 'enum': {
      const allowed = (error.params['allowedValues'] as unknown[]).map(String).join(', ')
      return { ...plain(path, 'not one of the allowed values'), hint: `allowed: ${allowed}` }
    }
    case 'type':
      return plain(path, `must be ${types(error.params['type'])}`)
    case 'oneOf':
    case 'anyOf':
      return plain(path, choice(error.keyword, around))
    case 'pattern':
      return plain(
        path,
        `must be ${formOf(around) ?? `of the form ${String(error.params['pattern'])}`}`,
      )
    case 'not':
      return plain(path, `must be ${formOf(around) ?? 'given otherwise'}`)
    default:
      return plain(path, error.message ?? `breaks ${error.keyword}`)
  }
}

function plain(path: readonly (string | number)[], message: string): SchemaProblem {
  return { path, message, unknownKey: false }
}

function pathOf(instancePath: string): (string | number)[] {
  return pointer(instancePath).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function pointer(text: string): string[] {
  return text
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The schema that holds the keyword which failed; found by its path, for compiled code has no schema. */
function parentSchema(schemaPath: string, schema: Schema): Record<string, unknown> {
  let here: unknown = schema
  for (const part of pointer(schemaPath).slice(0, -1)) {
    if (Array.isArray(here)) here = here[Number(part)]
    else here = isObject(here) ? here[part] : undefined
  }
  return isObject(here) ? here : {}
}

function knownKeys(key: string, schema: Record<string, unknown>): string {
  const known = isObject(schema['properties']) ? Object.keys(schema['properties']) : []
  return nearest(key, known) ?? `known keys: ${known.join(', ')}`
}

function knownNames(key: string, schema: Record<string, unknown>): string {
  const names = isObject(schema['propertyNames']) ? schema['propertyNames'] : {}
  const known = Array.isArray(names['enum']) ? names['enum'].map(String) : []
  return (
    nearest(key, known) ?? `it must be ${formOf(names) ?? 'one of the names in the documentation'}`
  )
}

/** `closest` always answers; further than a third of the length is no typing error. */
function nearest(key: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const best = closest(key, known)
  const near = distance(key, best) <= Math.max(1, Math.ceil(key.length / 3))
  return near ? `did you mean '${best}'?` : undefined
}

function formOf(schema: Record<string, unknown>): string | undefined {
  const form = schema['x-form']
  return typeof form === 'string' ? form : undefined
}

function choice(keyword: 'oneOf' | 'anyOf', schema: Record<string, unknown>): string {
  const form = formOf(schema)
  if (form !== undefined) return `must be ${form}`
  const branches = schema[keyword]
  const names = (Array.isArray(branches) ? branches : []).flatMap((branch: unknown) =>
    isObject(branch) && Array.isArray(branch['required'])
      ? [branch['required'].join(' with ')]
      : [],
  )
  return `needs ${keyword === 'oneOf' ? 'exactly' : 'at least'} one of: ${names.join(', ')}`
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false, unquoted',
  array: 'a list',
  object: 'a mapping',
  null: 'null',
}

function types(type: unknown): string {
  const all = Array.isArray(type) ? type : [type]
  return all.map((name) => TYPE_NAMES[String(name)] ?? String(name)).join(' or ')
}
