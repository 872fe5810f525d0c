import { TwonodeError } from '../core/errors.ts'

/**
 * PostgreSQL's logical replication messages, protocol version 1, as `pgoutput` gives them: as much of
 * them as a slot of ours shows. Each message comes alone and whole.
 * @source https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html
 */
export type Message =
  /** `finalLsn`: where the commit's record begins. */
  | { readonly kind: 'begin'; readonly finalLsn: bigint; readonly at: string; readonly xid: number }
  | { readonly kind: 'commit'; readonly endLsn: bigint }
  | { readonly kind: 'relation'; readonly relation: Relation }
  | { readonly kind: 'insert'; readonly relation: number; readonly row: Tuple }
  | { readonly kind: 'update'; readonly relation: number; readonly row: Tuple }
  /** Only the columns of the replica identity have values. */
  | { readonly kind: 'delete'; readonly relation: number; readonly key: Tuple }
  | { readonly kind: 'truncate'; readonly relations: readonly number[] }
  /** Of no account for rows: an origin, a type, a message of somebody's. */
  | { readonly kind: 'other'; readonly letter: string }

export interface Relation {
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
}

/** Values in their text form; undefined: a big value that an update left as it was. */
export type Tuple = readonly (string | null | undefined)[]

/** Microseconds between 1970 and PostgreSQL's own beginning of time, 2000. */
const EPOCH_US = 946_684_800_000_000n

/** The longest time that a Date holds. @unit microseconds */
const LAST_US = 8_640_000_000_000_000_000n

/** @throws TwonodeError for a message that is torn, or of no kind that protocol 1 has */
export function parseMessage(data: Buffer): Message {
  const reader = new Reader(data)
  const letter = reader.letter()
  const parse = PARSERS[letter]
  if (parse === undefined) throw torn(`a message begins with ${JSON.stringify(letter)}`)
  const message = parse(reader, letter)
  if (message.kind !== 'other') reader.end()
  return message
}

const OTHER = (_: Reader, letter: string): Message => ({ kind: 'other', letter })

const PARSERS: Readonly<Record<string, (reader: Reader, letter: string) => Message>> = {
  B: (reader) => ({
    kind: 'begin',
    finalLsn: reader.long(),
    at: timeOf(reader.long()),
    xid: reader.int(),
  }),
  C: (reader) => {
    reader.byte()
    reader.long()
    const endLsn = reader.long()
    reader.long()
    return { kind: 'commit', endLsn }
  },
  R: (reader) => ({ kind: 'relation', relation: relationOf(reader) }),
  I: (reader) => {
    const relation = reader.int()
    reader.expect('N')
    return { kind: 'insert', relation, row: reader.tuple() }
  },
  U: (reader) => {
    const relation = reader.int()
    let mark = reader.letter()
    if (mark === 'K' || mark === 'O') {
      reader.tuple()
      mark = reader.letter()
    }
    if (mark !== 'N') throw torn('an update without its new row')
    return { kind: 'update', relation, row: reader.tuple() }
  },
  D: (reader) => {
    const relation = reader.int()
    const mark = reader.letter()
    if (mark !== 'K' && mark !== 'O') throw torn('a delete without its key')
    return { kind: 'delete', relation, key: reader.tuple() }
  },
  T: (reader) => {
    const count = reader.int()
    reader.byte()
    reader.mustHold(count)
    return { kind: 'truncate', relations: Array.from({ length: count }, () => reader.int()) }
  },
  O: OTHER,
  Y: OTHER,
  M: OTHER,
}

function relationOf(reader: Reader): Relation {
  const id = reader.int()
  const schema = reader.text()
  const name = reader.text()
  reader.byte()
  const count = reader.short()
  reader.mustHold(count)
  const columns = Array.from({ length: count }, () => {
    reader.byte()
    const column = reader.text()
    reader.int()
    reader.int()
    return column
  })
  return { id, schema: schema === '' ? 'pg_catalog' : schema, name, columns }
}

/** ISO time; what no clock can mean is the empty text. */
function timeOf(microseconds: bigint): string {
  const since1970 = BigInt.asIntN(64, microseconds) + EPOCH_US
  if (since1970 < 0n || since1970 > LAST_US) return ''
  return new Date(Number(since1970 / 1000n)).toISOString()
}

function torn(what: string): TwonodeError {
  return new TwonodeError('E_FAILED', `what the slot shows can not be read: ${what}`)
}

/** Reads a message from its front; running out of bytes is an error, never a guess. */
class Reader {
  readonly #data: Buffer
  #at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  byte(): number {
    return this.#take(1).readUInt8()
  }

  letter(): string {
    return this.#take(1).toString('latin1')
  }

  short(): number {
    return this.#take(2).readUInt16BE()
  }

  int(): number {
    return this.#take(4).readUInt32BE()
  }

  long(): bigint {
    return this.#take(8).readBigUInt64BE()
  }

  /** Up to a zero byte. */
  text(): string {
    const end = this.#data.indexOf(0, this.#at)
    if (end < 0) throw torn('a name without an end')
    const text = this.#data.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  expect(letter: string): void {
    const found = this.letter()
    if (found !== letter) throw torn(`${JSON.stringify(found)} where ${letter} should be`)
  }

  tuple(): Tuple {
    const count = this.short()
    this.mustHold(count)
    return Array.from({ length: count }, () => this.#value())
  }

  /** Each has a byte at least: a count that can not be is no reason to make a long list. */
  mustHold(count: number): void {
    if (count > this.#data.length - this.#at) throw torn('there is less than it counts')
  }

  end(): void {
    if (this.#at !== this.#data.length) throw torn('a message is longer than what it says')
  }

  #value(): string | null | undefined {
    const mark = this.letter()
    if (mark === 'n') return null
    if (mark === 'u') return undefined
    if (mark !== 't') throw torn(`a value of kind ${JSON.stringify(mark)}`)
    return this.#take(this.int()).toString('utf8')
  }

  #take(length: number): Buffer {
    const from = this.#at
    if (length > this.#data.length - from) throw torn('a message ends too early')
    this.#at = from + length
    return this.#data.subarray(from, this.#at)
  }
}

/** `16/B374D848` as a number. */
export function lsnOf(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}
