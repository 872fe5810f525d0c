import { closest, distance } from 'fastest-levenshtein'
import type { Change } from '../src/core/change.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { identifier, literal } from '../src/core/sql.ts'
import {
  awaitSql,
  MAINTENANCE_DATABASE,
  reloadSettings,
  runCheckpoint,
  sql,
} from './parts/postgres_sql.ts'
import { type Parameter, runsWith } from './parts/postgres_value.ts'

interface Args {
  readonly name: string
  readonly state: 'present' | 'reset'
  readonly value?: string
  readonly checkpoint: boolean
}

interface Known extends Parameter {
  readonly kind: 'known'
  /** As it stands in postgresql.auto.conf, which ALTER SYSTEM writes; null: not there. */
  readonly stored: string | null
  /** The value that runs came from postgresql.auto.conf. */
  readonly fromStored: boolean
  /** Our own session has a value of its own (B1): what others see can't be told from it. */
  readonly ownSession: boolean
  readonly pendingRestart: boolean
  /** When the server last read its files; only ever compared for equality. */
  readonly loadedAt: string
}

type State = { readonly kind: 'unknown'; readonly nearest: string | undefined } | Known

/**
 * Parameters that are lists of quoted names: one literal would become one name.
 * @source https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/misc/guc.c (GUC_LIST_QUOTE)
 */
const QUOTED_LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

export const postgresSetting = defineModule<Args, State>({
  name: 'postgres_setting',
  doc: {
    summary: 'One parameter of the server, set by ALTER SYSTEM, in force when the task ends.',
    notes:
      'For what changes while the pair lives, such as `synchronous_standby_names`; what belongs to the ' +
      'cluster stands in `postgres_cluster`. A parameter that needs a restart is stored and noted: this ' +
      'module never restarts a server. `checkpoint` is for `synchronous_standby_names`: commits wait ' +
      'only once the checkpointer has read it, which `SHOW` does not tell; until the checkpoint has ' +
      'returned, the stored value ends in a blank, so that a run that was cut is taken up again.',
    source: 'https://www.postgresql.org/docs/15/sql-altersystem.html',
    examples: [
      {
        title: 'Commits wait for the peer',
        args: { name: 'synchronous_standby_names', value: '"h2"', checkpoint: true },
      },
      { title: 'And no more', args: { name: 'synchronous_standby_names', state: 'reset' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[A-Za-z_][A-Za-z0-9_.]{0,62}$',
        'x-form': "a parameter's name",
        description: 'The parameter.',
      },
      state: {
        type: 'string',
        enum: ['present', 'reset'],
        default: 'present',
        description: '`reset`: as the configuration files have it.',
      },
      value: {
        type: 'string',
        pattern: '^[^\\u0000\\n]*$',
        description: "Its value as text, quoted: '200ms', 'on', '10'.",
      },
      checkpoint: {
        type: 'boolean',
        default: false,
        description: 'Run a CHECKPOINT when it was changed, and end when that has returned (A3).',
      },
    },
    oneOf: [
      { required: ['value'], properties: { state: { const: 'present' } } },
      { required: ['state'], properties: { state: { const: 'reset' }, value: false } },
    ],
    'x-form': 'a value, or state: reset without one',
  },

  key: ({ name }) => [`postgres_setting:${name}`],

  async observe(host, { name }) {
    const text = `
      select s.name, setting, unit, vartype, context, pending_restart as "pendingRestart",
        (select f.setting from pg_file_settings f
         where f.name = s.name and f.sourcefile like '%/postgresql.auto.conf'
         order by f.seqno desc limit 1) as stored,
        coalesce(s.sourcefile like '%/postgresql.auto.conf', false) as "fromStored",
        s.source in ('client', 'session') as "ownSession",
        pg_conf_load_time()::text as "loadedAt"
      from pg_settings s where s.name = $1`
    const [found] = await host.sql<Omit<Known, 'kind'>>(MAINTENANCE_DATABASE, text, [name])
    if (found !== undefined) return { kind: 'known', ...found }
    return { kind: 'unknown', nearest: await nearestTo(host, name) }
  },

  refuse(state, { name }) {
    if (state.kind === 'unknown') {
      const hint = state.nearest === undefined ? '' : `; did you mean ${state.nearest}?`
      return `PostgreSQL has no parameter ${name}${hint}`
    }
    if (state.context === 'internal') return `${name} can not be set: PostgreSQL only shows it`
    return undefined
  },

  diff(state, args) {
    if (state.kind === 'unknown') return []
    return args.state === 'reset' ? resetChanges(state) : setChanges(state, args)
  },

  result: (state) =>
    state.kind === 'unknown'
      ? { exists: false }
      : { exists: true, value: state.setting, stored: state.stored },

  notes(state, { name }) {
    if (state.kind === 'unknown' || !state.pendingRestart) return []
    return [`${name} takes effect when PostgreSQL is restarted`]
  },
})

async function nearestTo(host: Observer, name: string): Promise<string | undefined> {
  const rows = await host.sql<{ name: string }>(
    MAINTENANCE_DATABASE,
    'select name from pg_settings',
  )
  const nearest = closest(
    name,
    rows.map((row) => row.name),
  )
  return distance(name, nearest) <= Math.max(2, name.length / 3) ? nearest : undefined
}

function resetChanges(state: Known): readonly Change[] {
  // Gone from the file and still in force: a run was cut before its reload.
  if (state.stored === null)
    return state.fromStored && !atRestartOnly(state) ? reloadSettings(state) : []
  const reset = sql(MAINTENANCE_DATABASE, `alter system reset ${parameter(state.name)}`)
  return [reset, ...reloadSettings(state)]
}

function setChanges(state: Known, { value = '', checkpoint }: Args): readonly Change[] {
  const untold = atRestartOnly(state) || state.ownSession
  const inForce = untold || (state.fromStored && runsWith(value, state))
  if (state.stored === value) return inForce ? [] : reloadSettings(state)
  const store = (text: string) =>
    sql(
      MAINTENANCE_DATABASE,
      `alter system set ${parameter(state.name)} = ${valueText(state, text)}`,
    )
  if (!checkpoint || state.vartype !== 'string') return [store(value), ...reloadSettings(state)]
  return [
    store(`${value} `),
    ...reloadSettings(state),
    runCheckpoint(),
    store(value),
    sql(MAINTENANCE_DATABASE, 'select pg_reload_conf()'),
    // A reload that is still under way would be taken for the next change's.
    awaitSql('PostgreSQL to take the mark off', MAINTENANCE_DATABASE, MARK_IS_OFF, {
      values: [state.name, `${value} `],
    }),
  ]
}

const MARK_IS_OFF = 'select current_setting($1) <> $2'

const atRestartOnly = ({ context }: Known): boolean => context === 'postmaster'

/** A custom parameter's name has two parts: extension.name. */
function parameter(name: string): string {
  return name.split('.').map(identifier).join('.')
}

function valueText({ name }: Known, value: string): string {
  if (!QUOTED_LISTS.has(name) || value.trim() === '') return literal(value)
  return value
    .split(',')
    .map((item) => literal(item.trim().replaceAll(/^"|"$/g, '')))
    .join(', ')
}
