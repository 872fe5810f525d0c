import { isObject, type Json } from '../core/json.ts'
import { isSecretRef } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import { didYouMean } from './nearest.ts'

/** Stands for a value that only the host will know: facts, roles, results. */
export const UNKNOWN = Symbol('known on the host only')

/** Names that templates and expressions may use. Values: JSON, {@link Secret}, {@link UNKNOWN}. */
export type Names = Readonly<Record<string, unknown>>

/** Thrown while rendering early, when a value is {@link UNKNOWN}: a signal, not an error. */
export class NotKnown extends Error {
  override readonly name = 'NotKnown'
}

/** Literal text of a file (`src`): never rendered, whatever braces it holds. */
export interface FileText {
  readonly $text: string
}

/** A template read from a file: its name and text, rendered on the host. */
export interface FileTemplate {
  readonly $template: string
  /** For messages. */
  readonly file: string
}

export function isFileText(value: unknown): value is FileText {
  return isObject(value) && typeof value['$text'] === 'string'
}

export function isFileTemplate(value: unknown): value is FileTemplate {
  return isObject(value) && typeof value['$template'] === 'string'
}

/** A step into a value: what is there, or that nothing is. */
export type Found = { readonly value: unknown } | Missing

interface Missing {
  /** What is missing, in words. */
  readonly missing: string
  /** Which of the parts is not there. */
  readonly index: number
  readonly hint: string
}

/** Walks `parts` from `start`. Only own properties count; nothing is ever inherited. */
export function lookup(start: unknown, parts: readonly string[], shown: readonly string[]): Found {
  let value = start
  for (const [i, part] of parts.entries()) {
    if (value === UNKNOWN) return { value }
    if (value instanceof Secret || isSecretRef(value))
      return missing(shown, parts.slice(0, i + 1), [])
    if (Array.isArray(value) && part === 'length') value = value.length
    else if (typeof value === 'object' && value !== null && Object.hasOwn(value, part))
      value = (value as Record<string, unknown>)[part]
    else return missing(shown, parts.slice(0, i + 1), isObject(value) ? Object.keys(value) : [])
  }
  return { value }
}

function missing(
  shown: readonly string[],
  parts: readonly string[],
  known: readonly string[],
): Found {
  const last = parts.at(-1) ?? ''
  return {
    missing: `${[...shown, ...parts].join('.')} is not defined`,
    index: parts.length - 1,
    hint: known.length === 0 ? 'There is nothing of that name.' : didYouMean(last, known),
  }
}

/** True if a value, or anything in it, is known on the host only. */
export function holdsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true
  if (value instanceof Secret || typeof value !== 'object' || value === null) return false
  return Object.values(value).some(holdsUnknown)
}

/** True if a value, or anything in it, is a secret. */
export function holdsSecret(value: unknown): boolean {
  if (value instanceof Secret || isSecretRef(value)) return true
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some(holdsSecret)
}

/** Replaces each secret reference by the secret itself. */
export function withSecrets(value: unknown, secrets: ReadonlyMap<string, Secret>): unknown {
  if (isSecretRef(value)) return secrets.get(value.$secret) ?? UNKNOWN
  if (Array.isArray(value)) return value.map((item) => withSecrets(item, secrets))
  if (!isObject(value) || value instanceof Secret) return value
  return mapValues(value, (item) => withSecrets(item, secrets))
}

/** What a person calls the value's type. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof Secret || isSecretRef(value)) return 'a secret'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a map' : typeof value === 'string' ? 'text' : typeof value
}

/** The same keys with other values. */
export function mapValues<T, U>(
  object: Readonly<Record<string, T>>,
  change: (value: T, key: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}

/** All texts of a tree with their paths. */
export function* texts(
  value: Json,
  path: readonly (string | number)[] = [],
): Generator<{ readonly text: string; readonly path: readonly (string | number)[] }> {
  if (typeof value === 'string') yield { text: value, path }
  else if (Array.isArray(value))
    for (const [i, item] of value.entries()) yield* texts(item as Json, [...path, i])
  else if (isObject(value))
    for (const [key, item] of Object.entries(value)) yield* texts(item, [...path, key])
}
