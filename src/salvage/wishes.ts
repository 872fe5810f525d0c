import { isObject, type Json, type JsonObject } from '../core/json.ts'

/** A place in an object: `spec`, `containers`, `[web]`, `image`. */
export type ObjectPath = readonly string[]

/** What the losing side changed of an object at one place; undefined: nothing is there. */
export interface Wish {
  readonly path: ObjectPath
  readonly before: Json | undefined
  readonly after: Json | undefined
}

/** Of metadata: what the API server keeps of an object, other on each side of a cut. */
const SERVERS_OWN = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
]

/** A copy of the object that older kubectl keeps in it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** Lists whose items Kubernetes tells apart by their names, in kinds of its own. */
const BY_NAME: ReadonlySet<string> = new Set([
  'containers',
  'initContainers',
  'ephemeralContainers',
  'volumes',
  'env',
])

/** An object without what the API server sets, and without its status. */
export function wanted(object: JsonObject): JsonObject {
  const { status, metadata, ...rest } = object
  const kept = 'spec' in object || status === undefined ? {} : { status }
  return { ...rest, ...kept, metadata: wantedMetadata(isObject(metadata) ? metadata : {}) }
}

function wantedMetadata(metadata: Record<string, unknown>): JsonObject {
  const { annotations, ...rest } = metadata as JsonObject
  const named = Object.entries(isObject(annotations) ? annotations : {})
  const notes = Object.fromEntries(named.filter(([name]) => name !== LAST_APPLIED))
  const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !SERVERS_OWN.includes(key)))
  return { ...own, ...(Object.keys(notes).length === 0 ? {} : { annotations: notes }) }
}

/** Where two versions of an object differ, as deep as maps and named lists go. */
export function wishesOf(before: Json | undefined, after: Json | undefined): readonly Wish[] {
  return differences(before, after, [])
}

function differences(
  before: Json | undefined,
  after: Json | undefined,
  path: ObjectPath,
): readonly Wish[] {
  if (same(before, after)) return []
  const [one, other] = [partsOf(before, path.at(-1)), partsOf(after, path.at(-1))]
  if (one === undefined || other === undefined) return [{ path, before, after }]
  const names = [...new Set([...one.keys(), ...other.keys()])]
  return names.flatMap((name) => differences(one.get(name), other.get(name), [...path, name]))
}

/** The parts of a map, or of a list whose items have names; undefined: it is one whole. */
function partsOf(value: Json | undefined, list: string | undefined) {
  if (isObject(value)) return new Map(Object.entries(value))
  if (!Array.isArray(value) || !BY_NAME.has(list ?? '')) return undefined
  const items = value as readonly Json[]
  const named = items.map((item) => [nameOf(item), item] as const)
  const names = named.map(([name]) => name)
  if (names.includes(undefined) || new Set(names).size < names.length) return undefined
  return new Map(named.map(([name, item]) => [`[${name ?? ''}]`, item]))
}

function nameOf(item: Json): string | undefined {
  const name = isObject(item) ? item['name'] : undefined
  return typeof name === 'string' ? name : undefined
}

/** What is at a place of an object now. */
export function valueAt(object: Json | undefined, path: ObjectPath): Json | undefined {
  let [value, list]: [Json | undefined, string | undefined] = [object, undefined]
  for (const step of path) {
    value = partsOf(value, list)?.get(step)
    list = step
  }
  return value
}

/** Equal whatever the order of keys. */
export function same(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true
  if (Array.isArray(one) && Array.isArray(other))
    return (
      one.length === other.length && one.every((item, i) => same(item as Json, other[i] as Json))
    )
  if (!isObject(one) || !isObject(other)) return false
  const [a, b] = [one, other]
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]))
  )
}

/** `spec.template.spec.containers[web].image` */
export function pathText(path: ObjectPath): string {
  return path
    .map((step) => (step.startsWith('[') ? step : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

/**
 * The least object that asks for these wishes: what the losing side did not touch is the winner's, and
 * not in it. A wish that something be gone can not be said so.
 */
export function applied(wishes: readonly Wish[]): JsonObject {
  const root: Record<string, Json> = {}
  for (const { path, after } of wishes) if (after !== undefined) put(root, path, after)
  return root
}

function put(root: Record<string, Json>, path: ObjectPath, value: Json): void {
  const [step = '', next, ...rest] = path
  if (next === undefined) {
    root[step] = value
    return
  }
  if (!next.startsWith('[')) {
    const inner = isObject(root[step]) ? root[step] : {}
    root[step] = inner
    return put(inner, [next, ...rest], value)
  }
  const name = next.slice(1, -1)
  const items = (Array.isArray(root[step]) ? root[step] : []) as Record<string, Json>[]
  const found = items.find((item) => item['name'] === name)
  const item = found ?? { name }
  root[step] = found === undefined ? [...items, item] : items
  if (rest.length === 0) Object.assign(item, value)
  else put(item, rest, value)
}
