import { createHash } from 'node:crypto'
import { isObject, parseJson } from '../core/json.ts'
import { type Field, fieldsOf, fieldWith } from '../core/protobuf.ts'

/** A Kubernetes object, as far as its bytes say it without the schema of its kind. */
export interface StoredObject {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** `ReplicaSet web-5d8`, the controller that made it; null: nobody's. */
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  /**
   * The same for two versions of an object that differ in nothing but status and what the API server
   * keeps of itself: the revision, who manages which field.
   */
  readonly wanted: string
}

/** What the API server puts before an object that it stores as protobuf. */
const MAGIC = Buffer.from('k8s\0')

/**
 * Kinds of Kubernetes' own whose messages are metadata (1), spec (2) and status (3). Of any other kind a
 * third field may be what somebody wants.
 * @source https://github.com/kubernetes/api/tree/v0.34.4 generated.proto of each group
 */
const WITH_STATUS: ReadonlySet<string> = new Set(
  [
    'Pod ReplicationController Service Node Namespace PersistentVolume PersistentVolumeClaim',
    'ResourceQuota Deployment StatefulSet DaemonSet ReplicaSet Job CronJob',
    'HorizontalPodAutoscaler Ingress PodDisruptionBudget CertificateSigningRequest APIService',
    'CustomResourceDefinition FlowSchema PriorityLevelConfiguration VolumeAttachment ServiceCIDR',
    'StorageVersion ValidatingAdmissionPolicy',
  ].flatMap((names) => names.split(' ')),
)

/** Of ObjectMeta: what no operator sets. resourceVersion, generation, managedFields. */
const KEPT_BY_SERVER: ReadonlySet<number> = new Set([6, 7, 17])
const KEPT_BY_SERVER_NAMES = ['resourceVersion', 'generation', 'managedFields']

/** Taints that Kubernetes sets by what it sees of a node, and takes away again. */
const OWN_TAINT = 'node.kubernetes.io/'

/** Undefined: in neither of the two forms; encrypted, say. */
export function storedObject(value: Buffer): StoredObject | undefined {
  return value.subarray(0, MAGIC.length).equals(MAGIC)
    ? ofProtobuf(value.subarray(MAGIC.length))
    : ofJson(value)
}

/** runtime.Unknown: TypeMeta (1) of apiVersion (1) and kind (2), and the object (2). */
function ofProtobuf(unknown: Buffer): StoredObject | undefined {
  const outer = fieldsOf(unknown)
  const type = fieldsIn(outer, 1)
  const object = fieldsIn(outer, 2)
  const meta = fieldsIn(object, 1)
  if (type === undefined || object === undefined || meta === undefined) return undefined
  const [apiVersion, kind] = [textOf(type, 1), textOf(type, 2)]
  if (kind === '') return undefined
  return {
    apiVersion,
    kind,
    namespace: textOf(meta, 3),
    name: textOf(meta, 1),
    owner: ownerIn(meta),
    labels: mapOf(meta, 11),
    wanted: digestOf([apiVersion, kind, wantedOf(kind, object, meta)]),
  }
}

/** Its bytes without what does not count. @source https://github.com/kubernetes/apimachinery/blob/v0.34.4/pkg/apis/meta/v1/generated.proto */
function wantedOf(kind: string, object: readonly Field[], meta: readonly Field[]): Buffer {
  const own = Buffer.concat(
    meta.flatMap(({ number, whole }) => (KEPT_BY_SERVER.has(number) ? [] : [whole])),
  )
  const rest = object.flatMap((field) => {
    if (field.number === 1 || (field.number === 3 && WITH_STATUS.has(kind))) return []
    return [field.number === 2 && kind === 'Node' ? withoutOwnTaints(field) : field.whole]
  })
  return Buffer.concat([fieldWith(1, own), ...rest])
}

/** NodeSpec: taints (5), each with its key (1). */
function withoutOwnTaints(spec: Field): Buffer {
  const kept = fieldsOf(spec.content)?.filter(
    ({ number, content }) =>
      number !== 5 || !textOf(fieldsOf(content) ?? [], 1).startsWith(OWN_TAINT),
  )
  return kept === undefined ? spec.whole : Buffer.concat(kept.map(({ whole }) => whole))
}

/** OwnerReferences (13): kind (1), name (3), and whether it is the controller (6). */
function ownerIn(meta: readonly Field[]): string | null {
  for (const field of meta) {
    const owner = field.number === 13 ? fieldsOf(field.content) : undefined
    const isController = owner?.some(({ number, content }) => number === 6 && content[0] === 1)
    if (owner !== undefined && isController === true)
      return `${textOf(owner, 1)} ${textOf(owner, 3)}`
  }
  return null
}

function mapOf(message: readonly Field[], number: number): Readonly<Record<string, string>> {
  const entries = message.flatMap((field) => {
    const entry = field.number === number ? fieldsOf(field.content) : undefined
    return entry === undefined ? [] : [[textOf(entry, 1), textOf(entry, 2)] as const]
  })
  return Object.fromEntries(entries)
}

function fieldsIn(message: readonly Field[] | undefined, number: number) {
  const content = contentOf(message, number)
  return content === undefined ? undefined : fieldsOf(content)
}

function contentOf(message: readonly Field[] | undefined, number: number): Buffer | undefined {
  return message?.find((field) => field.number === number && field.hasLength)?.content
}

function textOf(message: readonly Field[], number: number): string {
  return contentOf(message, number)?.toString('utf8') ?? ''
}

function ofJson(value: Buffer): StoredObject | undefined {
  // Anything else is not parsed: it may be long.
  if (value[0] !== 0x7b) return undefined
  const parsed = parseJson(value.toString('utf8'))
  if (!isObject(parsed)) return undefined
  const { apiVersion, kind, metadata } = parsed
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !isObject(metadata))
    return undefined
  return {
    apiVersion,
    kind,
    namespace: wordOf(metadata['namespace']),
    name: wordOf(metadata['name']),
    owner: ownerOf(metadata['ownerReferences']),
    labels: wordsOf(metadata['labels']),
    wanted: digestOf([apiVersion, kind, Buffer.from(JSON.stringify(wantedJson(parsed, metadata)))]),
  }
}

/** Without a spec beside it, what is called status may be all that there is. */
function wantedJson(object: Record<string, unknown>, metadata: Record<string, unknown>): unknown {
  const left = 'spec' in object ? without(object, ['status']) : object
  return { ...left, metadata: without(metadata, KEPT_BY_SERVER_NAMES) }
}

function without(object: Record<string, unknown>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

function ownerOf(references: unknown): string | null {
  const list: readonly unknown[] = Array.isArray(references) ? references : []
  const owner = list.filter(isObject).find(({ controller }) => controller === true)
  return owner === undefined ? null : `${wordOf(owner['kind'])} ${wordOf(owner['name'])}`
}

function wordsOf(map: unknown): Readonly<Record<string, string>> {
  if (!isObject(map)) return {}
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, wordOf(value)]))
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function digestOf(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('base64url')
}
