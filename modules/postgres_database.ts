import { defineModule } from '../src/core/module.ts'
import { identifier, literal } from '../src/core/sql.ts'
import { MAINTENANCE_DATABASE, NAME_FORM, requireRole, sql } from './parts/postgres_sql.ts'

interface Args {
  readonly name: string
  readonly state: 'present' | 'absent'
  readonly owner: string
  readonly encoding: string
  readonly collate: string
  readonly force: boolean
}

type State =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'present'
      readonly owner: string
      readonly encoding: string
      readonly collate: string
      readonly ctype: string
    }

/** A template database is copied file by file. @unit milliseconds */
const CREATE_TIMEOUT_MS = 60_000

export const postgresDatabase = defineModule<Args, State>({
  name: 'postgres_database',
  doc: {
    summary: 'A database with its owner.',
    notes:
      'Made from `template0`. Encoding and collation can not be changed afterwards: a database that ' +
      'has others is refused. `C` sorts by bytes: the same on both hosts, whatever their C library.',
    source: 'https://www.postgresql.org/docs/15/sql-createdatabase.html',
    examples: [
      { title: "kine's database", args: { name: 'kine', owner: 'kine' } },
      { title: 'None', args: { name: 'old', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { ...NAME_FORM, description: 'Name of the database.' },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether it exists. `absent` removes it **with all that is in it**.',
      },
      owner: { ...NAME_FORM, default: 'postgres', description: 'Role that owns it.' },
      encoding: { type: 'string', default: 'UTF8', description: 'Character encoding.' },
      collate: { type: 'string', default: 'C', description: 'Collation and character classes.' },
      force: {
        type: 'boolean',
        default: false,
        description: 'With `absent`: end the sessions that use it; else they are an error.',
      },
    },
  },

  key: ({ name }) => [`postgres_database:${name}`],

  async observe(host, { name, owner, state }) {
    if (state === 'present') await requireRole(host, owner)
    const text = `
      select r.rolname::text as owner, pg_encoding_to_char(encoding)::text as encoding,
        datcollate::text as collate, datctype::text as ctype
      from pg_database d join pg_roles r on r.oid = d.datdba where datname = $1`
    const [found] = await host.sql<Omit<State & { kind: 'present' }, 'kind'>>(
      MAINTENANCE_DATABASE,
      text,
      [name],
    )
    return found === undefined ? { kind: 'missing' } : { kind: 'present', ...found }
  },

  refuse(state, { name, encoding, collate, state: wanted }) {
    if (state.kind === 'missing' || wanted === 'absent') return undefined
    if (
      sameEncoding(state.encoding, encoding) &&
      state.collate === collate &&
      state.ctype === collate
    )
      return undefined
    return (
      `database ${name} has encoding ${state.encoding}, collation ${state.collate} and character ` +
      `classes ${state.ctype}, not ${encoding} and ${collate}: that can not be changed. Dump it, ` +
      'drop it, and let this task make it anew'
    )
  },

  diff(state, { name, owner, encoding, collate, state: wanted, force }) {
    const database = identifier(name)
    if (wanted === 'absent') {
      if (state.kind === 'missing') return []
      return [
        sql(MAINTENANCE_DATABASE, `drop database ${database}${force ? ' with (force)' : ''}`, {
          timeoutMs: CREATE_TIMEOUT_MS,
        }),
      ]
    }
    if (state.kind === 'missing') {
      const locale = `lc_collate ${literal(collate)} lc_ctype ${literal(collate)}`
      const text =
        `create database ${database} owner ${identifier(owner)} template template0 ` +
        `encoding ${literal(encoding)} ${locale}`
      return [sql(MAINTENANCE_DATABASE, text, { timeoutMs: CREATE_TIMEOUT_MS })]
    }
    if (state.owner === owner) return []
    return [sql(MAINTENANCE_DATABASE, `alter database ${database} owner to ${identifier(owner)}`)]
  },

  result: (state) =>
    state.kind === 'missing' ? { exists: false } : { exists: true, owner: state.owner },
})

/** PostgreSQL takes `utf-8` for `UTF8`. */
function sameEncoding(one: string, other: string): boolean {
  return plainName(one) === plainName(other)
}

function plainName(encoding: string): string {
  return encoding.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}
