import type { Json, JsonObject } from '../core/json.ts'
import { isObject } from '../core/json.ts'
import type { SecretRef } from '../core/plan.ts'
import type { Place } from '../core/place.ts'
import { resolvePath } from './paths.ts'

/** Where a secret's value comes from, as `!secret` names it. The value itself is read at compile. */
export type SecretSource = {
  readonly id: string
  readonly place: Place
} & (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'exec'; readonly argv: readonly string[] }
)

/**
 * Reads the map behind a `!secret` tag. The id names the source, so that one source is read once and
 * a plan that is printed says where each secret comes from.
 *
 * @returns a sentence if it is none
 */
export function readSecretSource(value: Json, place: Place): SecretSource | string {
  const shape = '!secret takes one of {file: PATH}, {env: NAME} and {exec: [ARGV…]}'
  if (!isObject(value)) return shape
  const [entry, ...rest] = Object.entries(value)
  if (entry === undefined || rest.length > 0) return shape
  const [kind, source] = entry
  const id = `${kind}:${typeof source === 'string' ? source : JSON.stringify(source)}`
  if (kind === 'file' && isWord(source))
    return { id: `file:${resolvePath(place.file, source)}`, place, kind, path: source }
  if (kind === 'env' && isWord(source)) return { id, place, kind, name: source }
  if (kind === 'exec' && Array.isArray(source) && source.length > 0 && source.every(isWord))
    return { id, place, kind, argv: source }
  return shape
}

/** What the `!secret` says, as written: no folder of this machine is in it. */
export function secretOrigin(source: SecretSource): string {
  return source.kind === 'file' ? `file:${source.path}` : source.id
}

export function secretRef({ id }: SecretSource): SecretRef & JsonObject {
  return { $secret: id }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
