import { lsnOf } from '../../src/salvage/pgoutput.ts'

/** Messages as PostgreSQL writes them. */

const int = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const short = (value: number) => int(value).subarray(2)
const long = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const text = (value: string) => Buffer.from(`${value}\0`)
const letter = (value: string) => Buffer.from(value)

const EPOCH_MS = Date.UTC(2000, 0, 1)
const time = (iso: string) => long(BigInt(Date.parse(iso) - EPOCH_MS) * 1000n)

export function begin(finalLsn: string, xid: number, at = '2026-01-01T00:00:00Z'): Buffer {
  return Buffer.concat([letter('B'), long(lsnOf(finalLsn)), time(at), int(xid)])
}

export function commit(lsn: string, endLsn: string): Buffer {
  const positions = [long(lsnOf(lsn)), long(lsnOf(endLsn)), time('2026-01-01T00:00:00Z')]
  return Buffer.concat([letter('C'), Buffer.from([0]), ...positions])
}

export function relation(
  id: number,
  schema: string,
  name: string,
  columns: readonly string[],
): Buffer {
  const each = columns.map((column) =>
    Buffer.concat([Buffer.from([0]), text(column), int(25), int(0xffff_ffff)]),
  )
  const head = [letter('R'), int(id), text(schema), text(name), letter('d'), short(columns.length)]
  return Buffer.concat([...head, ...each])
}

type Values = readonly (string | null | undefined)[]

function tuple(values: Values): Buffer {
  const each = values.map((value) => {
    if (value === null) return letter('n')
    if (value === undefined) return letter('u')
    return Buffer.concat([letter('t'), int(Buffer.byteLength(value)), Buffer.from(value)])
  })
  return Buffer.concat([short(values.length), ...each])
}

export function inserted(id: number, values: Values): Buffer {
  return Buffer.concat([letter('I'), int(id), letter('N'), tuple(values)])
}

export function updated(id: number, values: Values): Buffer {
  return Buffer.concat([letter('U'), int(id), letter('N'), tuple(values)])
}

export function deleted(id: number, values: Values): Buffer {
  return Buffer.concat([letter('D'), int(id), letter('K'), tuple(values)])
}

export function truncated(ids: readonly number[]): Buffer {
  return Buffer.concat([letter('T'), int(ids.length), Buffer.from([0]), ...ids.map(int)])
}
