import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { connectionText, CONNECTION_SCHEMA, type Connection } from './parts/postgres_connection.ts'
import { NAME_FORM, TABLE_FORM } from './parts/postgres_sql.ts'
import {
  absentChanges,
  disableChanges,
  presentChanges,
} from './parts/postgres_subscription_changes.ts'
import { observeSubscription, type State } from './parts/postgres_subscription_state.ts'

interface Args {
  readonly name: string
  readonly database: string
  readonly state: 'present' | 'disabled' | 'absent'
  readonly connection?: Connection
  readonly publication?: string
  readonly slot?: string
  readonly tables: readonly string[]
  readonly copy_data: boolean
  readonly enabled: boolean
  readonly synchronous_commit: 'on' | 'off' | 'local' | 'remote_write' | 'remote_apply'
}

export const postgresSubscription = defineModule<Args, State>({
  name: 'postgres_subscription',
  doc: {
    summary: 'A subscription to a publication of the peer, by a slot that exists there.',
    notes:
      'It is changed by ALTER where that is possible: made anew on the same slot it would lose its ' +
      'origin, and old changes would come again (B4). Another slot means another history: then it is ' +
      'dropped and made anew, with a copy if `copy_data` says so, which is refused while the table ' +
      'here has rows. Disabled means that no worker of it is alive (A6). It never makes or drops a slot ' +
      'at the publisher: it is detached before it is dropped, and a drop that PostgreSQL refuses is ' +
      'left to a later converge. No passwords: the connection uses certificates.',
    source: 'https://www.postgresql.org/docs/15/sql-createsubscription.html',
    examples: [
      {
        title: 'The follower',
        args: {
          name: 'twonode',
          database: 'kine',
          publication: 'twonode',
          slot: 'h2_1_1',
          connection: {
            host: '10.77.0.11',
            user: 'twonode_replication',
            database: 'kine',
            application_name: 'h2',
            sslcert: '/etc/twonode/tls/replication.crt',
            sslkey: '/etc/twonode/tls/replication.key',
            sslrootcert: '/etc/twonode/pki/ca.crt',
          },
        },
      },
      { title: 'None', args: { name: 'twonode', database: 'kine', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'database'],
    properties: {
      name: { ...NAME_FORM, description: 'Name of the subscription.' },
      database: { ...NAME_FORM, description: 'Database that it writes to.' },
      state: {
        type: 'string',
        enum: ['present', 'disabled', 'absent'],
        default: 'present',
        description:
          'Whether it exists. `disabled`: if it does, no worker of it is alive; its origin tells how far it came.',
      },
      connection: CONNECTION_SCHEMA,
      publication: { ...NAME_FORM, description: 'Publication of the peer.' },
      slot: {
        type: 'string',
        pattern: '^[a-z0-9_]{1,63}$',
        'x-form': 'a name of lower-case letters, digits and underscores',
        description: 'Slot at the peer; it must exist there.',
      },
      tables: {
        type: 'array',
        items: TABLE_FORM,
        minItems: 1,
        uniqueItems: true,
        default: ['public.kine'],
        description: 'The tables that it must subscribe, all of them (A2).',
      },
      copy_data: {
        type: 'boolean',
        default: true,
        description: 'Copy what the tables hold when it is made.',
      },
      enabled: { type: 'boolean', default: true, description: 'Whether it receives changes.' },
      synchronous_commit: {
        type: 'string',
        enum: ['on', 'off', 'local', 'remote_write', 'remote_apply'],
        default: 'on',
        description: 'Of its worker: `on` acknowledges what is on the disk.',
      },
    },
    if: { properties: { state: { enum: ['absent', 'disabled'] } }, required: ['state'] },
    else: { required: ['connection', 'publication', 'slot'] },
  },

  key: ({ name, database, state }) =>
    state === 'disabled' ? [] : [`postgres_subscription:${database}/${name}`],

  observe: async (host, args) => await observeSubscription(host, args),

  refuse(state, { name, state: wanted, tables, slot, copy_data }) {
    if (wanted !== 'present') return undefined
    const anew = state.kind === 'missing' || state.slot !== slot
    if (anew && copy_data && state.filledTables.length > 0)
      return (
        `${state.filledTables.join(', ')} has rows already: a copy into it would stop at the first key ` +
        'that is there. A role converge moves it aside before (kine_table_swap keeps all of it); by hand: ' +
        'compare it with the publisher, and empty it when nothing in it is missed'
      )
    if (state.kind === 'missing' || anew) return undefined
    const foreign = Object.keys(state.tables).filter((table) => !tables.includes(table))
    if (foreign.length > 0)
      return (
        `subscription ${name} writes to ${foreign.join(', ')}: it followed a table that was moved (A2). ` +
        'Drop it, and subscribe anew'
      )
    return undefined
  },

  diff(state, args): readonly Change[] {
    const { connection, publication, slot } = args
    if (args.state === 'absent') return absentChanges(state, args)
    if (args.state === 'disabled')
      return state.kind === 'missing' ? [] : disableChanges(state, args)
    if (connection === undefined || publication === undefined || slot === undefined) return []
    return presentChanges(state, {
      ...args,
      publication,
      slot,
      conninfo: connectionText(connection),
    })
  },

  // A tolerated drop leaves it detached: harmless, and the next converge's to drop.
  settles: ({ state }) => state !== 'absent',

  result: (state) =>
    state.kind === 'missing'
      ? { exists: false, slot: null, origin_lsn: null }
      : {
          exists: true,
          enabled: state.enabled,
          slot: state.slot,
          tables: { ...state.tables },
          ready: Object.values(state.tables).every((sync) => sync === 'r'),
          workers: state.workers.length,
          origin_lsn: state.originLsn,
        },
})
