import { Ajv, type ErrorObject } from 'ajv'
import {
  defineModule,
  type AnyModule,
  type Registry,
  type Validate,
} from '../../src/core/module.ts'
import { isObject, type JsonObject } from '../../src/core/json.ts'
import { isSecretRef } from '../../src/core/plan.ts'
import { MASK, Secret } from '../../src/core/secret.ts'

/** Three modules that touch every mark a schema can carry, so that these tests need no real one. */

const text = { type: 'string' } as const

const fake = (name: string, schema: JsonObject, key: (args: JsonObject) => readonly string[]) =>
  defineModule<JsonObject, object>({
    name,
    doc: { summary: `Fake ${name}.`, source: 'none', examples: [] },
    schema: { type: 'object', additionalProperties: false, ...schema },
    key,
    observe: () => Promise.resolve({}),
    diff: () => [],
  })

const note = fake(
  'note',
  {
    required: ['path'],
    properties: {
      path: text,
      content: { ...text, 'x-takes-secret': true },
      src: { ...text, 'x-file': 'text' },
      template: { ...text, 'x-file': 'text' },
      mode: { ...text, pattern: '^[0-7]{4}$', 'x-octal': true },
      state: { ...text, enum: ['present', 'absent'], default: 'present' },
      count: { type: 'integer' },
      on: { type: 'boolean' },
      names: { type: 'array', items: text },
      password: { ...text, 'x-secret': true },
    },
  },
  ({ path }) => [`note:${path as string}`],
)

const binary = fake(
  'binary',
  {
    required: ['path', 'source'],
    properties: {
      path: text,
      sha256: text,
      source: {
        type: 'object',
        additionalProperties: false,
        minProperties: 1,
        properties: { path: { ...text, 'x-file': 'blob' }, url: text, blob: text, sha256: text },
      },
    },
  },
  ({ path }) => [`binary:${path as string}`],
)

const judge = fake(
  'judge',
  {
    properties: {
      that: { type: 'array', items: { ...text, 'x-cel': true } },
      failed_when: { ...text, 'x-cel': true, 'x-cel-names': ['result'] },
    },
  },
  () => [],
)

const FAKE_MODULES: readonly AnyModule[] = [note, binary, judge]

export const fakeRegistry: Registry = new Map(FAKE_MODULES.map((module) => [module.name, module]))

const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false })
const compiled = new Map(FAKE_MODULES.map(({ name, schema }) => [name, ajv.compile(schema)]))

export const fakeValidate: Validate = (module, args) => {
  const check = compiled.get(module)
  if (check === undefined) throw new Error(`no fake module ${module}`)
  return check(masked(args)) ? [] : (check.errors ?? []).map(problemOf)
}

function masked(value: unknown): unknown {
  if (value instanceof Secret || isSecretRef(value)) return MASK
  if (Array.isArray(value)) return value.map(masked)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item)]))
}

function problemOf({ instancePath, params, message = '' }: ErrorObject) {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
  const unknown: unknown = params['additionalProperty']
  if (typeof unknown === 'string')
    return { path: [...path, unknown], message: `unknown key ${unknown}`, unknownKey: true }
  return { path, message, unknownKey: false }
}
