import { isObject } from '../../src/core/json.ts'
import type { Schema, SchemaProblem } from '../../src/core/module.ts'
import { isSecretRef } from '../../src/core/plan.ts'
import { MASK, Secret } from '../../src/core/secret.ts'

type Path = readonly (string | number)[]

const isSecret = (value: unknown): boolean => value instanceof Secret || isSecretRef(value)

/** A copy in which every secret is a plain mask: what ajv may look at. */
export function withoutSecrets(value: unknown): unknown {
  if (isSecret(value)) return MASK
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner)]),
  )
}

/** Copies what validation filled into the masked copy back into the args themselves. */
export function withDefaultsOf(filled: unknown, args: unknown): void {
  if (Array.isArray(filled) && Array.isArray(args)) {
    for (const [index, inner] of filled.entries()) withDefaultsOf(inner, args[index])
    return
  }
  if (!isObject(filled) || !isObject(args) || isSecret(args)) return
  for (const [key, inner] of Object.entries(filled)) {
    if (key in args) withDefaultsOf(inner, args[key])
    else args[key] = inner
  }
}

/** Secrets where the schema takes none, and plain text where it wants a secret. */
export function secretProblems(value: unknown, schema: unknown, path: Path = []): SchemaProblem[] {
  const here = isObject(schema) ? schema : {}
  if (isSecret(value)) {
    if (here['x-takes-secret'] === true || here['x-secret'] === true) return []
    return [
      problem(
        path,
        'a secret must not go here: it could be seen in a command line, a log or a name',
      ),
    ]
  }
  if (here['x-secret'] === true && value !== undefined && value !== null)
    return [problem(path, 'must be a secret: !secret {file: …}, {env: …} or {exec: […]}')]
  if (Array.isArray(value))
    return value.flatMap((inner, index) => secretProblems(inner, here['items'], [...path, index]))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    secretProblems(inner, propertySchema(here, key), [...path, key]),
  )
}

function propertySchema(schema: Schema | Record<string, unknown>, key: string): unknown {
  const properties = schema['properties']
  if (isObject(properties) && key in properties) return properties[key]
  return schema['additionalProperties']
}

function problem(path: Path, message: string): SchemaProblem {
  return { path, message, unknownKey: false }
}
