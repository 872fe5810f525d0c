/** One field of a message, as it lies in it. @source https://protobuf.dev/programming-guides/encoding/ */
export interface Field {
  readonly number: number
  readonly hasLength: boolean
  /** Tag, length and content. */
  readonly whole: Buffer
  readonly content: Buffer
}

const LENGTH_DELIMITED = 2

/** Wire types of a fixed size, in bytes. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

const MOST_VARINT_BYTES = 10

/** The fields of a message in their order; undefined: it is torn, or of another age. */
export function fieldsOf(message: Buffer): readonly Field[] | undefined {
  const fields: Field[] = []
  for (let at = 0; at < message.length;) {
    const tag = varint(message, at)
    const content = tag === undefined ? undefined : contentAt(message, tag.next, tag.value % 8)
    if (tag === undefined || content === undefined) return undefined
    fields.push({
      number: Math.floor(tag.value / 8),
      hasLength: tag.value % 8 === LENGTH_DELIMITED,
      whole: message.subarray(at, content.to),
      content: message.subarray(content.from, content.to),
    })
    at = content.to
  }
  return fields
}

/** A field with a length: text, bytes or a message. */
export function fieldWith(number: number, content: Buffer): Buffer {
  const head = [...asVarint(number * 8 + LENGTH_DELIMITED), ...asVarint(content.length)]
  return Buffer.concat([Buffer.from(head), content])
}

interface Range {
  readonly from: number
  readonly to: number
}

function contentAt(message: Buffer, at: number, wireType: number): Range | undefined {
  const fixed = FIXED[wireType]
  if (fixed !== undefined) return within(message, at, at + fixed)
  const number = varint(message, at)
  if (number === undefined) return undefined
  if (wireType === 0) return within(message, at, number.next)
  return wireType === LENGTH_DELIMITED
    ? within(message, number.next, number.next + number.value)
    : undefined
}

function within(message: Buffer, from: number, to: number): Range | undefined {
  return to <= message.length ? { from, to } : undefined
}

/** Lengths and tags stay far below 2^53; other numbers are only passed over. */
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

function asVarint(value: number): readonly number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...asVarint(Math.floor(value / 128))]
}
