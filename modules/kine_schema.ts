import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { identifier } from '../src/core/sql.ts'
import {
  createIndex,
  createTable,
  indexDefinition,
  INDEXES,
  type WantedIndex,
} from './parts/kine_table.ts'
import { NAME_FORM, requireRole, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly owner: string
}

interface Index {
  readonly name: string
  /** As pg_get_indexdef gives it. */
  readonly definition: string
  readonly valid: boolean
}

interface Table {
  readonly kind: 'present'
  readonly owner: string
  /** `id bigint not null`, in the table's order. */
  readonly columns: readonly string[]
  readonly indexes: readonly Index[]
  /** The sequence that `id` takes its values from, if the column owns it. */
  readonly sequence: string | null
  readonly sequenceType: string | null
  readonly ownerMayCreate: boolean
}

type State = { readonly kind: 'missing'; readonly ownerMayCreate: boolean } | Table

const COLUMNS = [
  'id bigint not null',
  'name text collate C',
  'created integer',
  'deleted integer',
  'create_revision bigint',
  'prev_revision bigint',
  'lease integer',
  'value bytea',
  'old_value bytea',
]

const SEQUENCE = 'public.kine_id_seq'

const SEQUENCE_TYPE = 'bigint'

const PRIMARY_KEY = 'kine_pkey'

export const kineSchema = defineModule<Args, State>({
  name: 'kine_schema',
  doc: {
    summary: "kine's table, sequence and indexes, exactly as kine v0.16.4 makes them.",
    notes:
      'kine must never be started on a subscriber to make its table: it would write rows there. A ' +
      'missing index is made, a wrong one made anew; columns of other types are refused, for changing ' +
      'them rewrites the table.',
    source: 'https://github.com/k3s-io/kine/blob/v0.16.4/pkg/drivers/pgsql/pgsql.go',
    examples: [{ title: "kine's table", args: { database: 'kine', owner: 'kine' } }],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      owner: {
        ...NAME_FORM,
        default: 'kine',
        description: 'Role that kine logs in as; it owns it.',
      },
    },
  },

  key: ({ database }) => [`kine_schema:${database}`],

  async observe(host, { database, owner }) {
    await requireRole(host, owner)
    const text = `
      select has_schema_privilege($1, 'public', 'create') as "ownerMayCreate", t.*
      from (select) one left join lateral (
        select pg_get_userbyid(c.relowner)::text as owner,
          array(select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                  || case when l.collname is null or l.collname = 'default' then '' else ' collate ' || l.collname end
                  || case when a.attnotnull then ' not null' else '' end
                from pg_attribute a left join pg_collation l on l.oid = a.attcollation
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
          (select coalesce(json_agg(json_build_object('name', x.relname,
                    'definition', pg_get_indexdef(x.oid), 'valid', i.indisvalid)), '[]')
           from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid) as indexes,
          pg_get_serial_sequence(c.oid::regclass::text, 'id') as sequence,
          (select format_type(seqtypid, null) from pg_sequence
           where seqrelid = pg_get_serial_sequence(c.oid::regclass::text, 'id')::regclass) as "sequenceType"
        from pg_class c where c.oid = to_regclass('public.kine')) t on true`
    const [found] = await host.sql<Omit<Table, 'kind'> & { readonly owner: string | null }>(
      database,
      text,
      [owner],
    )
    if (found === undefined || found.owner === null)
      return { kind: 'missing', ownerMayCreate: found?.ownerMayCreate ?? false }
    return { kind: 'present', ...found }
  },

  refuse(state, { database }) {
    if (state.kind === 'missing') return undefined
    const wrong = COLUMNS.filter((column, place) => state.columns[place] !== column)
    const extra = state.columns.slice(COLUMNS.length)
    const complaints = [
      ...wrong.map((column) => `no column "${column}" in its place`),
      ...extra.map((column) => `a column "${column}" that kine does not have`),
      ...(state.sequence === SEQUENCE && state.sequenceType === SEQUENCE_TYPE
        ? []
        : [`id takes its values from ${sequenceText(state)}, not ${SEQUENCE} as ${SEQUENCE_TYPE}`]),
      ...(state.indexes.some(({ name }) => name === PRIMARY_KEY)
        ? []
        : [`no primary key ${PRIMARY_KEY}`]),
    ]
    if (complaints.length === 0) return undefined
    return (
      `public.kine of database ${database} is not as kine v0.16.4 makes it: ${complaints.join('; ')}. ` +
      "Run kine's own migration on it (KINE_SCHEMA_MIGRATION=2), or move the table away"
    )
  },

  diff(state, { database, owner }): readonly Change[] {
    const role = identifier(owner)
    const grant = state.ownerMayCreate ? [] : [`grant usage, create on schema public to ${role}`]
    if (state.kind === 'missing') return [transaction(database, [...grant, ...createTable(owner)])]
    const statements = [
      ...grant,
      ...(state.owner === owner ? [] : [`alter table public.kine owner to ${role}`]),
      ...INDEXES.flatMap((index) => indexStatements(state, index)),
    ]
    return statements.length === 0 ? [] : [transaction(database, statements)]
  },

  result: (state) => ({ exists: state.kind === 'present' }),
})

function sequenceText({ sequence, sequenceType }: Table): string {
  return sequence === null ? 'no sequence of its own' : `${sequence} as ${sequenceType}`
}

function indexStatements({ indexes }: Table, wanted: WantedIndex): readonly string[] {
  const found = indexes.find(({ name }) => name === wanted.name)
  if (found === undefined) return [createIndex(wanted)]
  if (found.valid && found.definition === indexDefinition(wanted)) return []
  return [`drop index public.${wanted.name}`, createIndex(wanted)]
}
