import type { Change } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { identifier, literal } from '../src/core/sql.ts'
import { NAME_FORM, sql, TABLE_FORM, tableIdentifier, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly name: string
  readonly database: string
  readonly state: 'present' | 'absent'
  readonly tables?: readonly string[]
  readonly publish: readonly Operation[]
}

type Operation = 'insert' | 'update' | 'delete' | 'truncate'

interface Publication {
  readonly kind: 'present'
  readonly allTables: boolean
  readonly publish: readonly Operation[]
  /** Schema and name, sorted. */
  readonly tables: readonly string[]
  /** A row filter, a column list or a whole schema: more or less than the tables named. */
  readonly filtered: boolean
  /** Logical slots of the database: they read the catalogue as of their own position. */
  readonly slots: readonly string[]
}

type State = { readonly kind: 'missing' } | Publication

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete', 'truncate']

export const postgresPublication = defineModule<Args, State>({
  name: 'postgres_publication',
  doc: {
    summary: 'A publication that names exactly these tables.',
    notes:
      'A publication follows a table that is moved to another schema, and then publishes nothing of ' +
      'the table that took its place (A2): the names are compared, and set anew when they differ. It ' +
      'must exist, with its tables, before a slot is made; it is not removed while there is a slot.',
    source: 'https://www.postgresql.org/docs/15/sql-createpublication.html',
    examples: [
      {
        title: "kine's table",
        args: { name: 'twonode', database: 'kine', tables: ['public.kine'] },
      },
      { title: 'None', args: { name: 'old', database: 'kine', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'database'],
    properties: {
      name: { ...NAME_FORM, description: 'Name of the publication.' },
      database: { ...NAME_FORM, description: 'Database of its tables.' },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether it exists.',
      },
      tables: {
        type: 'array',
        items: TABLE_FORM,
        minItems: 1,
        uniqueItems: true,
        description: 'The tables it publishes, all of them.',
      },
      publish: {
        type: 'array',
        items: { type: 'string', enum: [...OPERATIONS] },
        minItems: 1,
        uniqueItems: true,
        default: [...OPERATIONS],
        description: 'What it publishes of them.',
      },
    },
    if: { properties: { state: { const: 'absent' } }, required: ['state'] },
    else: { required: ['tables'] },
  },

  key: ({ name, database }) => [`postgres_publication:${database}/${name}`],

  async observe(host, { name, database, tables = [], state }) {
    if (state === 'present') await requireTables(host, database, tables)
    const text = `
      select puballtables as "allTables",
        array_remove(array[case when pubinsert then 'insert' end, case when pubupdate then 'update' end,
          case when pubdelete then 'delete' end, case when pubtruncate then 'truncate' end], null) as publish,
        array(select n.nspname || '.' || c.relname from pg_publication_rel r
              join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
              where r.prpubid = p.oid order by 1) as tables,
        exists (select from pg_publication_namespace s where s.pnpubid = p.oid)
          or exists (select from pg_publication_rel r where r.prpubid = p.oid
                     and (r.prqual is not null or r.prattrs is not null)) as filtered,
        array(select slot_name::text from pg_replication_slots
              where database = current_database() and slot_type = 'logical' order by 1) as slots
      from pg_publication p where pubname = $1`
    const [found] = await host.sql<Omit<Publication, 'kind'>>(database, text, [name])
    return found === undefined ? { kind: 'missing' } : { kind: 'present', ...found }
  },

  refuse(state, { name, database, state: wanted }) {
    if (state.kind === 'missing') return undefined
    if (wanted === 'absent' && state.slots.length > 0)
      return (
        `publication ${name} can not go while database ${database} has the slot ${state.slots.join(', ')}: ` +
        'a slot whose publication is gone fails for ever'
      )
    if (wanted === 'present' && state.allTables)
      return (
        `publication ${name} is for all tables, which can not be changed to a list: drop it, when no ` +
        'slot uses it, and let this task make it anew'
      )
    return undefined
  },

  diff(state, { name, database, tables = [], publish, state: wanted }): readonly Change[] {
    const publication = identifier(name)
    const list = tables.map(tableIdentifier).join(', ')
    const operations = literal(inOrder(publish).join(', '))
    if (wanted === 'absent')
      return state.kind === 'missing' ? [] : [sql(database, `drop publication ${publication}`)]
    if (state.kind === 'missing') {
      const text = `create publication ${publication} for table ${list} with (publish = ${operations})`
      return [sql(database, text)]
    }
    const statements = [
      ...(state.filtered || !sameMembers(state.tables, tables)
        ? [`alter publication ${publication} set table ${list}`]
        : []),
      ...(sameMembers(state.publish, publish)
        ? []
        : [`alter publication ${publication} set (publish = ${operations})`]),
    ]
    return statements.length === 0 ? [] : [transaction(database, statements)]
  },

  result: (state) =>
    state.kind === 'missing' ? { exists: false } : { exists: true, tables: [...state.tables] },
})

async function requireTables(
  host: Observer,
  database: string,
  tables: readonly string[],
): Promise<void> {
  for (const table of tables) {
    const [found] = await host.sql<{ exists: boolean }>(
      database,
      'select to_regclass($1) is not null as exists',
      [tableIdentifier(table)],
    )
    if (found?.exists !== true) throw new NotYet(`database ${database} has no table ${table}`)
  }
}

function sameMembers(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item) => other.includes(item))
}

function inOrder(publish: readonly Operation[]): readonly Operation[] {
  return OPERATIONS.filter((operation) => publish.includes(operation))
}
