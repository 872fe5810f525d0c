import type { Change } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { NAME_FORM, TABLE_FORM } from './parts/postgres_sql.ts'
import { createSlot, dropSlot, recordSlot } from './parts/replication_slot_changes.ts'

interface Args {
  readonly name: string
  readonly database: string
  readonly state: 'present' | 'absent'
  readonly publication?: string
  readonly tables: readonly string[]
  readonly once: boolean
  readonly required: boolean
  readonly timeout: string
}

interface Slot {
  readonly kind: 'present'
  readonly plugin: string | null
  readonly database: string | null
  /** The walsender that reads it; null: nobody does. */
  readonly activePid: number | null
  /** `reserved`, `extended`, `unreserved` or `lost`; null: it has reserved nothing yet. */
  readonly walStatus: string | null
  readonly retainedBytes: number | null
  readonly recorded: boolean
}

type State =
  | {
      readonly kind: 'missing'
      /** A slot of this name was made here before, or given up. */
      readonly recorded: boolean
    }
  | Slot

const PLUGIN = 'pgoutput'

const MEGABYTE = 1024 ** 2

export const replicationSlot = defineModule<Args, State>({
  name: 'replication_slot',
  doc: {
    summary:
      'A logical replication slot. Unread, it retains WAL until its bound, or the disk is full.',
    notes:
      'It is made only when its publication names its tables: decoding reads the catalogue as of the ' +
      "slot's position, and a slot older than its publication fails for ever. A slot that lost its WAL " +
      'is refused: it is never made again under its name, which would skip rows in silence (B3). ' +
      'Making one waits for every open transaction, in any database, for no longer than `timeout` (B5). ' +
      'With `once` its name is written down (table `twonode.slot`): when it is gone it stays gone, and a ' +
      'note says so. A promotion makes it with `required: false`: if that fails the name is used up.',
    source: 'https://www.postgresql.org/docs/15/view-pg-replication-slots.html',
    examples: [
      { title: 'For the peer', args: { name: 'h2_1_1', database: 'kine', publication: 'twonode' } },
      { title: 'No longer', args: { name: 'h2_1_1', database: 'kine', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'database'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z0-9_]{1,63}$',
        'x-form': 'a name of lower-case letters, digits and underscores',
        description: 'Name of the slot: peer, branch and a number (B3).',
      },
      database: { ...NAME_FORM, description: 'Database that it decodes.' },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether it exists. `absent` ends the walsender that reads it.',
      },
      publication: { ...NAME_FORM, description: 'Publication that will be read through it.' },
      tables: {
        type: 'array',
        items: TABLE_FORM,
        minItems: 1,
        default: ['public.kine'],
        description: 'Tables that the publication must name before the slot is made (A2).',
      },
      once: {
        type: 'boolean',
        default: false,
        description: 'A name is used once: a slot that was lost is not made again (B3).',
      },
      required: {
        type: 'boolean',
        default: true,
        description: 'Whether the task fails when the slot can not be made.',
      },
      timeout: durationSchema('Bound of its making; a promotion has one second (B5).', '5s'),
    },
    if: { properties: { state: { const: 'absent' } }, required: ['state'] },
    else: { required: ['publication'] },
  },

  key: ({ name }) => [`replication_slot:${name}`],

  async observe(host, { name, database, publication, tables, state, once }) {
    const text = `
      select plugin::text, database::text, active_pid as "activePid", wal_status as "walStatus",
        pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as "retainedBytes"
      from pg_replication_slots where slot_name = $1`
    const [slot] = await host.sql<Omit<Slot, 'kind'>>(database, text, [name])
    const recorded = once && state === 'present' && (await isRecorded(host, database, name))
    if (slot !== undefined) return { kind: 'present', ...slot, recorded }
    if (state === 'absent' || publication === undefined) return { kind: 'missing', recorded }
    const published = await host.sql<{ name: string }>(
      database,
      "select schemaname || '.' || tablename as name from pg_publication_tables where pubname = $1",
      [publication],
    )
    const unpublished = tables.find((table) => !published.some((row) => row.name === table))
    if (unpublished === undefined) return { kind: 'missing', recorded }
    throw new NotYet(
      `publication ${publication} of database ${database} does not name ${unpublished}`,
    )
  },

  refuse(state, { name, database, state: wanted }) {
    if (state.kind === 'missing' || wanted === 'absent') return undefined
    if (state.plugin !== PLUGIN || state.database !== database) {
      const decodes =
        state.plugin === null ? 'is physical' : `decodes ${state.database} by ${state.plugin}`
      return `slot ${name} is someone else's: it ${decodes}, not ${database} by ${PLUGIN}`
    }
    if (state.walStatus === 'lost')
      return (
        `slot ${name} has lost its WAL: its subscriber needs a slot of a new name and a copy. ` +
        'Drop this one'
      )
    return undefined
  },

  diff(state, { name, database, state: wanted, timeout, once, required }): readonly Change[] {
    if (wanted === 'absent') return state.kind === 'missing' ? [] : [dropSlot(database, name)]
    if (state.kind === 'present') return once && !state.recorded ? [recordSlot(database, name)] : []
    if (state.recorded) return []
    const create = createSlot(database, name, { timeoutMs: durationMs(timeout), required })
    return once ? [create, recordSlot(database, name)] : [create]
  },

  settles: ({ required }) => required,

  result: (state) =>
    state.kind === 'missing'
      ? { exists: false }
      : {
          exists: true,
          active: state.activePid !== null,
          wal_status: state.walStatus,
          retained_bytes: state.retainedBytes,
        },

  notes(state, { name }) {
    if (state.kind === 'missing')
      return state.recorded
        ? [`slot ${name} was made once and is gone: its follower needs one of another name (B3)`]
        : []
    const retained = `${((state.retainedBytes ?? 0) / MEGABYTE).toFixed(1)} MB of WAL`
    return [
      ...(state.activePid === null
        ? [`slot ${name} is read by nobody and retains ${retained}`]
        : []),
      ...(state.walStatus === 'reserved' || state.walStatus === null
        ? []
        : [`slot ${name} is ${state.walStatus}: it retains ${retained}`]),
    ]
  },
})

/** The table is made with the first name. */
async function isRecorded(host: Observer, database: string, name: string): Promise<boolean> {
  const [table] = await host.sql<{ exists: boolean }>(
    database,
    "select to_regclass('twonode.slot') is not null as exists",
  )
  if (table?.exists !== true) return false
  const text = 'select from twonode.slot where name = $1'
  return (await host.sql(database, text, [name])).length > 0
}
