import { fieldWith } from '../../src/core/protobuf.ts'

/** Objects as the API server stores them, made by hand: no more of them than tests look at. */

const message = (...fields: readonly Buffer[]) => Buffer.concat(fields)
const text = (number: number, value: string) => fieldWith(number, Buffer.from(value))

/** A field of a whole number, or of a truth value. */
export const varint = (number: number, value: number) => Buffer.from([number * 8, value])

export interface Written {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly generation?: number
  readonly managedFields?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Kind and name of the controller that owns it. */
  readonly owner?: readonly [kind: string, name: string]
  /** Messages of the fields two and three. */
  readonly spec?: Buffer
  readonly status?: Buffer
}

const entry = (number: number, [key, value]: readonly [string, string]) =>
  fieldWith(number, message(text(1, key), text(2, value)))

function metadata({ name, namespace, uid, owner, labels = {}, ...kept }: Written): Buffer {
  return message(
    text(1, name),
    ...(namespace === undefined ? [] : [text(3, namespace)]),
    ...(uid === undefined ? [] : [text(5, uid)]),
    ...(kept.generation === undefined ? [] : [varint(7, kept.generation)]),
    ...Object.entries(labels).map((pair) => entry(11, pair)),
    ...(owner === undefined
      ? []
      : [fieldWith(13, message(text(1, owner[0]), text(3, owner[1]), varint(6, 1)))]),
    ...(kept.managedFields === undefined ? [] : [text(17, kept.managedFields)]),
  )
}

export function storedProtobuf(written: Written): Buffer {
  const { apiVersion, kind, spec, status } = written
  const object = message(
    fieldWith(1, metadata(written)),
    ...(spec === undefined ? [] : [fieldWith(2, spec)]),
    ...(status === undefined ? [] : [fieldWith(3, status)]),
  )
  const type = message(text(1, apiVersion), text(2, kind))
  return message(Buffer.from('k8s\0'), fieldWith(1, type), fieldWith(2, object), text(3, ''))
}

export function storedJson(object: object): Buffer {
  return Buffer.from(`${JSON.stringify(object)}\n`)
}
