import type { SalvagedChange } from '../core/salvage.ts'
import type { Relation, Tuple } from './pgoutput.ts'

/** What one change did to a row of kine's table, with its values as they are. */
export interface RowChange {
  readonly op: SalvagedChange['op']
  readonly id: number
  readonly name: string | null
  readonly created: boolean
  readonly deleted: boolean
  readonly createRevision: number
  readonly prevRevision: number
  readonly lease: number
  readonly value: Buffer | null
  readonly oldValue: Buffer | null
}

/** Columns of kine's table as a query for {@link rowOfColumns} asks for them. */
export const ROW_COLUMNS =
  'id, name, created, deleted, create_revision, prev_revision, lease, value, old_value'

export function rowOfTuple(
  op: 'insert' | 'update' | 'delete',
  { columns }: Relation,
  tuple: Tuple,
): RowChange {
  const texts = new Map(columns.map((column, index) => [column, tuple[index] ?? null]))
  const bytes = (column: string) => bytesOf(texts.get(column) ?? null)
  return {
    op,
    ...fieldsOf((column) => texts.get(column) ?? null),
    value: bytes('value'),
    oldValue: bytes('old_value'),
  }
}

/** A row of the table itself, as if it had just been inserted. */
export function rowOfColumns(row: Readonly<Record<string, unknown>>): RowChange {
  return {
    op: 'insert',
    ...fieldsOf((column) => row[column] ?? null),
    value: bufferOf(row['value']),
    oldValue: bufferOf(row['old_value']),
  }
}

function fieldsOf(column: (name: string) => unknown) {
  const number = (name: string) => Number(column(name) ?? 0)
  const name = column('name')
  return {
    id: number('id'),
    name: typeof name === 'string' ? name : null,
    created: number('created') !== 0,
    deleted: number('deleted') !== 0,
    createRevision: number('create_revision'),
    prevRevision: number('prev_revision'),
    lease: number('lease'),
  }
}

/** bytea's text form. @source https://www.postgresql.org/docs/15/datatype-binary.html */
function bytesOf(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text.slice(2), 'hex')
}

function bufferOf(value: unknown): Buffer | null {
  return Buffer.isBuffer(value) ? value : null
}

export const TRUNCATED: RowChange = {
  op: 'truncate',
  id: 0,
  name: null,
  created: false,
  deleted: false,
  createRevision: 0,
  prevRevision: 0,
  lease: 0,
  value: null,
  oldValue: null,
}
