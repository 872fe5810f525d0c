import { isObject, type Json, type JsonObject, parseJson } from '../core/json.ts'
import { type Field, fieldsOf } from '../core/protobuf.ts'
import shapes from './kubernetes_shapes.json' with { type: 'json' }

/** A stored object as people write it; `unread` counts fields that this program does not know. */
export interface DecodedObject {
  readonly object: JsonObject
  readonly unread: number
}

const MAGIC = Buffer.from('k8s\0')

/** One field of a message: its name in JSON ('' for one whose fields stand in its place), and its type. */
interface Shape {
  readonly name: string
  /** See lab/kubernetes_shapes: a letter, after what it is a list (`*`) or a map (`%`) of. */
  readonly code: string
  /** Left out when it is empty. */
  readonly omits: boolean
}

const KINDS: Readonly<Record<string, number>> = shapes.kinds
const parsed = new Map<number, ReadonlyMap<number, Shape>>()

/** The fields of a message, by their numbers. */
function shapeOf(index: number): ReadonlyMap<number, Shape> {
  const known = parsed.get(index)
  if (known !== undefined) return known
  const text = shapes.types[index] ?? ''
  const fields = text.split(',').flatMap((field): readonly [number, Shape][] => {
    const [number = '', name = '', code = ''] = field.split(' ')
    if (code === '') return []
    return [[Number(number), { name, code: code.replace('?', ''), omits: code.endsWith('?') }]]
  })
  const shape = new Map(fields)
  parsed.set(index, shape)
  return shape
}

/**
 * The object that the API server stored: JSON as it is, or protobuf of a kind of Kubernetes' own.
 * Undefined: encrypted, torn, or of a kind whose message is not known.
 */
export function decodeObject(value: Buffer): DecodedObject | undefined {
  if (!value.subarray(0, MAGIC.length).equals(MAGIC)) {
    const object = value[0] === 0x7b ? parseJson(value.toString('utf8')) : undefined
    return isObject(object) ? { object: object as JsonObject, unread: 0 } : undefined
  }
  const outer = fieldsOf(value.subarray(MAGIC.length))
  const type = fieldsOf(contentOf(outer, 1) ?? Buffer.alloc(0)) ?? []
  const [apiVersion, kind] = [textOf(type, 1), textOf(type, 2)]
  const index = KINDS[`${apiVersion} ${kind}`]
  const message = contentOf(outer, 2)
  if (index === undefined || message === undefined) return undefined
  const decoder = new Decoder()
  const fields = decoder.message(message, index)
  if (fields === undefined) return undefined
  return { object: { apiVersion, kind, ...fields }, unread: decoder.unread }
}

/** A message of another age than this program: what it does not know it counts. */
class Decoder {
  unread = 0

  /** Undefined: the bytes are no message. */
  message(bytes: Buffer, index: number): JsonObject | undefined {
    const fields = fieldsOf(bytes)
    if (fields === undefined) return undefined
    const shape = shapeOf(index)
    const object: Record<string, Json> = {}
    for (const field of fields) {
      const of = shape.get(field.number)
      if (of === undefined) this.unread += 1
      else this.#put(object, of, field)
    }
    return object
  }

  #put(object: Record<string, Json>, { name, code, omits }: Shape, field: Field): void {
    if (code.startsWith('*')) {
      const before = object[name]
      object[name] = [...(Array.isArray(before) ? before : []), this.#value(field, code.slice(1))]
      return
    }
    if (code.startsWith('%')) {
      const entry = fieldsOf(field.content) ?? []
      const value = entry.find(({ number }) => number === 2)
      const before = object[name]
      object[name] = {
        ...(isObject(before) ? before : {}),
        [textOf(entry, 1)]:
          value === undefined ? zeroOf(code[1]) : this.#value(value, code.slice(1)),
      }
      return
    }
    const value = this.#value(field, code)
    // A message whose fields stand in its place.
    if (name === '' && isObject(value)) Object.assign(object, value)
    else if (!omits || !isEmpty(value)) object[name] = value
  }

  #value(field: Field, code: string): Json {
    const { content } = field
    if (code.startsWith('m')) return this.message(content, Number(code.slice(1))) ?? this.#torn()
    if (code.startsWith('V'))
      return (fieldsOf(content) ?? []).map((item) => this.#value(item, code.slice(1)))
    return (SCALARS[code] ?? textForm)(content)
  }

  #torn(): null {
    this.unread += 1
    return null
  }
}

const textForm = (content: Buffer): Json => content.toString('utf8')

const SCALARS: Readonly<Record<string, (content: Buffer) => Json>> = {
  s: textForm,
  b: (content) => content[0] === 1,
  i: numberOf,
  d: (content) => (content.length === 8 ? content.readDoubleLE() : 0),
  y: (content) => content.toString('base64'),
  T: timeOf,
  Q: (content) => textOf(fieldsOf(content) ?? [], 1),
  O: intOrText,
  D: (content) => `${numberOf(contentOf(fieldsOf(content), 1) ?? Buffer.alloc(0)) / 1e9}s`,
  R: (content) => {
    const raw = parseJson(contentOf(fieldsOf(content), 1)?.toString('utf8') ?? 'null')
    return (raw ?? null) as Json
  },
}

/** A whole number in two's complement of 64 bits. @source https://protobuf.dev/programming-guides/encoding/ */
function numberOf(content: Buffer): number {
  let value = 0n
  for (const [index, byte] of content.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * index)
  return Number(BigInt.asIntN(64, value))
}

/** Seconds (1) since 1970; null: no time. What is smaller than a second is left out. */
function timeOf(content: Buffer): Json {
  const seconds = contentOf(fieldsOf(content), 1)
  const time = seconds === undefined ? Number.NaN : numberOf(seconds) * 1000
  if (!(Math.abs(time) <= 8.64e15)) return null
  return new Date(time).toISOString().replace('.000Z', 'Z')
}

/** Type (1): 0 is a number (2), 1 a text (3). */
function intOrText(content: Buffer): Json {
  const fields = fieldsOf(content) ?? []
  const isText = numberOf(contentOf(fields, 1) ?? Buffer.alloc(0)) === 1
  return isText ? textOf(fields, 3) : numberOf(contentOf(fields, 2) ?? Buffer.alloc(0))
}

function zeroOf(code: string | undefined): Json {
  if (code === 'i' || code === 'd') return 0
  return code?.startsWith('m') === true ? {} : ''
}

function isEmpty(value: Json): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true
  return isObject(value) && Object.keys(value).length === 0
}

function contentOf(message: readonly Field[] | undefined, number: number): Buffer | undefined {
  return message?.find((field) => field.number === number)?.content
}

function textOf(message: readonly Field[], number: number): string {
  return contentOf(message, number)?.toString('utf8') ?? ''
}
