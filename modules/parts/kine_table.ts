import { identifier } from '../../src/core/sql.ts'

/**
 * kine's own DDL, statement by statement, in its order.
 * @source https://github.com/k3s-io/kine/blob/v0.16.4/pkg/drivers/pgsql/pgsql.go
 */
const CREATE_TABLE = `create table public.kine (
  id bigserial primary key,
  name text collate "C",
  created integer,
  deleted integer,
  create_revision bigint,
  prev_revision bigint,
  lease integer,
  value bytea,
  old_value bytea
)`

export interface WantedIndex {
  readonly name: string
  readonly unique: boolean
  /** What follows the table's name. */
  readonly on: string
}

/** Beside the primary key, which comes with the table. */
export const INDEXES: readonly WantedIndex[] = [
  { name: 'kine_name_index', unique: false, on: 'name' },
  { name: 'kine_name_id_index', unique: false, on: 'name, id' },
  { name: 'kine_id_deleted_index', unique: false, on: 'id, deleted' },
  { name: 'kine_prev_revision_index', unique: false, on: 'prev_revision' },
  { name: 'kine_name_prev_revision_uindex', unique: true, on: 'name, prev_revision' },
  { name: 'kine_list_query_index', unique: false, on: 'name, id DESC, deleted' },
]

/** As the owner itself: the sequence and the indexes are then its own too. The role stays set. */
export function createTable(owner: string): readonly string[] {
  return [`set local role ${identifier(owner)}`, CREATE_TABLE, ...INDEXES.map(createIndex)]
}

export function createIndex({ name, unique, on }: WantedIndex): string {
  return `create ${unique ? 'unique ' : ''}index ${name} on public.kine (${on})`
}

/** As pg_get_indexdef gives it. */
export function indexDefinition({ name, unique, on }: WantedIndex): string {
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${name} ON public.kine USING btree (${on})`
}
