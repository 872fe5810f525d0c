import { isObject } from '../../src/core/json.ts'
import { type Field, fieldsOf, fieldWith } from '../../src/core/protobuf.ts'

/** What the API server puts before an object that it stores as protobuf. */
const MAGIC = Buffer.from('k8s\0')

/** Of runtime.Unknown: the object itself. */
const RAW = 2

/**
 * Who holds a Kubernetes Lease, from the bytes that the API server stores: protobuf, or JSON.
 * Undefined: nobody, or no Lease that can be read.
 * @source https://github.com/kubernetes/api/blob/v0.34.4/coordination/v1/generated.proto
 */
export function leaseHolder(stored: Buffer): string | undefined {
  const message = unwrapped(stored)
  const holder = message === undefined ? holderOfJson(stored) : holderOf(message)
  return holder === '' ? undefined : holder
}

/** True if the holder is a process of this host: `h1_0b8c…`, as client-go makes identities. */
export function isOfHost(holder: string, host: string): boolean {
  const [machine = ''] = holder.split('_', 1)
  return machine === host || machine.startsWith(`${host}.`)
}

/**
 * Stored Endpoints, or an EndpointSlice, without an address; undefined: it is not in it, or is the only
 * one, or can not be read.
 * @source https://github.com/kubernetes/api/blob/v0.34.4/core/v1/generated.proto
 * @source https://github.com/kubernetes/api/blob/v0.34.4/discovery/v1/generated.proto
 */
export function withoutAddress(
  stored: Buffer,
  address: string,
  kind: 'Endpoints' | 'EndpointSlice',
): Buffer | undefined {
  if (unwrapped(stored) === undefined) return undefined
  const outer = fieldsOf(stored.subarray(MAGIC.length))
  if (outer === undefined) return undefined
  const parts = outer.map((field) => {
    if (field.number !== RAW || !field.hasLength) return field.whole
    const object =
      kind === 'Endpoints' ? subsetsWithout(field, address) : sliceWithout(field, address)
    return object === undefined ? field.whole : fieldWith(RAW, object)
  })
  const rewritten = Buffer.concat([MAGIC, ...parts])
  return rewritten.equals(stored) ? undefined : rewritten
}

/** Endpoints: metadata, and subsets (2) of addresses (1), each with its IP (1). */
function subsetsWithout(object: Field, address: string): Buffer | undefined {
  const fields = fieldsOf(object.content)
  const parts = fields?.map((field) => {
    if (field.number !== 2) return field.whole
    const kept = dropped(field.content, 1, (one) => textIn(one, 1) === address)
    return kept === undefined ? field.whole : fieldWith(2, kept)
  })
  return parts === undefined ? undefined : Buffer.concat(parts)
}

/** EndpointSlice: metadata, and endpoints (2), each with its addresses (1). */
function sliceWithout(object: Field, address: string): Buffer | undefined {
  return dropped(object.content, 2, (endpoint) => textIn(endpoint, 1) === address)
}

/** A message without those of its repeated fields that match; undefined if none would be left. */
function dropped(
  message: Buffer,
  number: number,
  matches: (content: Buffer) => boolean,
): Buffer | undefined {
  const fields = fieldsOf(message)
  const kept = fields?.filter((field) => field.number !== number || !matches(field.content))
  if (kept?.some((field) => field.number === number) !== true) return undefined
  return Buffer.concat(kept.map(({ whole }) => whole))
}

/** runtime.Unknown's object; undefined: stored in another form. */
function unwrapped(stored: Buffer): Buffer | undefined {
  if (!stored.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  return contentIn(stored.subarray(MAGIC.length), RAW) ?? Buffer.alloc(0)
}

/** Lease: its spec (2) names the holder first (1). */
function holderOf(lease: Buffer): string | undefined {
  const spec = contentIn(lease, 2)
  return spec === undefined ? undefined : textIn(spec, 1)
}

function holderOfJson(stored: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(stored.toString('utf8'))
    const spec = isObject(parsed) ? parsed['spec'] : undefined
    const holder = isObject(spec) ? spec['holderIdentity'] : undefined
    return typeof holder === 'string' ? holder : undefined
  } catch {
    return undefined
  }
}

function contentIn(message: Buffer, number: number): Buffer | undefined {
  const field = fieldsOf(message)?.find((one) => one.number === number && one.hasLength)
  return field?.content
}

function textIn(message: Buffer, number: number): string | undefined {
  return contentIn(message, number)?.toString('utf8')
}
