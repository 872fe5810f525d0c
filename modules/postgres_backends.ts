import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { literal } from '../src/core/sql.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { NAME_FORM, sql } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly which: 'of_role' | 'others' | 'waiting'
  readonly role?: string
  readonly grace: string
  readonly timeout: string
}

interface State {
  /** Process ids. */
  readonly found: readonly number[]
}

/** How long the loop in the server sleeps between two looks. @unit seconds */
const LOOK_EVERY_S = 0.005

export const postgresBackends = defineModule<Args, State>({
  name: 'postgres_backends',
  doc: {
    summary: 'Ends other sessions of PostgreSQL, or their wait, and waits until that is so.',
    notes:
      'Killing kine does not end its backends: a commit under way is still made (A7). `of_role` ends ' +
      'the sessions of one role in the database; `others` ends all client sessions but our own and all ' +
      'autovacuum workers, for a slot is made only when no transaction is open anywhere (B5). Never on a ' +
      'host that stays leader: a commit that waits for the follower would be kept, and its client told ' +
      'of a failure (A9). There is `waiting`: who still waits for a follower after `grace` is cancelled, ' +
      'again and again until none waits, and every client hears of a success (C2).',
    source: 'https://www.postgresql.org/docs/15/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL',
    examples: [
      { title: "kine's", args: { database: 'kine', which: 'of_role', role: 'kine' } },
      { title: 'Before a slot is made', args: { database: 'kine', which: 'others' } },
      { title: 'Released', args: { database: 'kine', which: 'waiting' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'which'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the sessions, and to ask from.' },
      which: {
        type: 'string',
        enum: ['of_role', 'others', 'waiting'],
        description: 'Sessions to end (`of_role`, `others`) or to cancel (`waiting`).',
      },
      role: { ...NAME_FORM, description: 'Role of the sessions, for `of_role`.' },
      grace: durationSchema('With `waiting`: time to come free by themselves.', '500ms'),
      timeout: durationSchema('Bound of it all.', '3s'),
    },
    oneOf: [
      { properties: { which: { const: 'of_role' } }, required: ['role'] },
      { properties: { which: { enum: ['others', 'waiting'] }, role: false } },
    ],
    'x-form': 'given a role with of_role, and with nothing else',
  },

  key: () => [],

  async observe(host, args) {
    const text = `select pid from pg_stat_activity where ${conditionOf(args)} order by pid`
    const rows = await host.sql<{ pid: number }>(args.database, text)
    return { found: rows.map(({ pid }) => pid) }
  },

  diff({ found }, args): readonly Change[] {
    if (found.length === 0) return []
    // Its own bound ends the loop: the statement's is for a server that does not answer.
    const timeoutMs = 2 * durationMs(args.timeout)
    return [sql(args.database, loopText(args), { timeoutMs })]
  },

  // Others may come at any time; who was there is gone.
  settles: () => false,

  result: ({ found }) => ({ found: found.length }),
})

/**
 * Our own sessions keep nothing open, and are needed; but for one that makes a slot, whose run was killed:
 * what it made later than the branch's marker would count as made before it (B3).
 */
const NOT_NEEDED = `pid <> pg_backend_pid() and (application_name is distinct from 'twonode'
    or state = 'active' and query like 'select pg_create_logical_replication_slot%')`

function conditionOf({ which, role = '' }: Args): string {
  switch (which) {
    case 'of_role':
      return `backend_type = 'client backend' and datname = current_database() and usename = ${literal(role)}`
    case 'others':
      return `backend_type in ('client backend', 'autovacuum worker') and ${NOT_NEEDED}`
    case 'waiting':
      return "wait_event_type = 'IPC' and wait_event = 'SyncRep'"
    default:
      throw new Error(`unhandled sessions: ${String(which satisfies never)}`)
  }
}

/** In the server: one round trip, and a look every few milliseconds. */
function loopText(args: Args): string {
  const { which, timeout } = args
  const waits = which === 'waiting'
  const act = waits
    ? `case when clock_timestamp() >= began + ${interval(args.grace)} then pg_cancel_backend(pid) end`
    : 'pg_terminate_backend(pid)'
  return `do $loop$
    declare began timestamptz := clock_timestamp(); still int;
    begin loop
      perform pg_stat_clear_snapshot();
      perform ${act} from pg_stat_activity where ${conditionOf(args)};
      get diagnostics still = row_count;
      exit when still = 0;
      if clock_timestamp() >= began + ${interval(timeout)} then
        raise exception '% sessions ${waits ? 'still wait' : 'have not ended'} after ${timeout}', still;
      end if;
      perform pg_sleep(${LOOK_EVERY_S});
    end loop; end $loop$`
}

function interval(duration: string): string {
  return `interval '${durationMs(duration)} milliseconds'`
}
