import { isObject } from '../../src/core/json.ts'

/**
 * Who holds a Kubernetes Lease, from the bytes that the API server stores: protobuf with its magic
 * number, or JSON. Undefined: nobody, or no Lease that can be read.
 * @source https://github.com/kubernetes/api/blob/v0.34.4/coordination/v1/generated.proto
 */
export function leaseHolder(stored: Buffer): string | undefined {
  const holder = stored.subarray(0, MAGIC.length).equals(MAGIC)
    ? holderOfProtobuf(stored.subarray(MAGIC.length))
    : holderOfJson(stored)
  return holder === '' ? undefined : holder
}

/** True if the holder is a process of this host: `h1_0b8c…`, as client-go makes identities. */
export function isOfHost(holder: string, host: string): boolean {
  const [machine = ''] = holder.split('_', 1)
  return machine === host || machine.startsWith(`${host}.`)
}

const MAGIC = Buffer.from('k8s\0')

/** Fields by number: runtime.Unknown's raw, Lease's spec, LeaseSpec's holderIdentity. */
const HOLDER_PATH = [2, 2, 1]

function holderOfProtobuf(message: Buffer): string | undefined {
  let here: Buffer | undefined = message
  for (const number of HOLDER_PATH) here = here === undefined ? undefined : bytesField(here, number)
  return here?.toString('utf8')
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

/** The content of a message's first field of this number that has a length; undefined: it has none. */
function bytesField(message: Buffer, number: number): Buffer | undefined {
  let at = 0
  while (at < message.length) {
    const tag = varint(message, at)
    const head = tag === undefined ? undefined : fieldAt(message, tag.next, tag.value % 8)
    if (tag === undefined || head === undefined) return undefined
    if (Math.floor(tag.value / 8) === number && tag.value % 8 === LENGTH_DELIMITED)
      return message.subarray(head.from, head.to)
    at = head.to
  }
  return undefined
}

const LENGTH_DELIMITED = 2

/** Where a field's content begins and ends, by its wire type; undefined: it is torn, or of another age. */
function fieldAt(
  message: Buffer,
  at: number,
  wireType: number,
): { readonly from: number; readonly to: number } | undefined {
  const length = varint(message, at)
  const fixed = FIXED_BYTES[wireType]
  if (fixed !== undefined) return within(message, at, at + fixed)
  if (length === undefined) return undefined
  if (wireType === 0) return within(message, at, length.next)
  return wireType === LENGTH_DELIMITED
    ? within(message, length.next, length.next + length.value)
    : undefined
}

/** Wire types of a fixed size. */
const FIXED_BYTES: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

function within(message: Buffer, from: number, to: number) {
  return to <= message.length ? { from, to } : undefined
}

/** Lengths and tags stay far below 2^53. */
function varint(
  message: Buffer,
  at: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let i = 0; i < MOST_VARINT_BYTES; i += 1) {
    const byte = message[at + i]
    if (byte === undefined) return undefined
    value += (byte % 128) * 128 ** i
    if (byte < 128) return { value, next: at + i + 1 }
  }
  return undefined
}

const MOST_VARINT_BYTES = 10
