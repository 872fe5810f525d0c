import type { Change } from '../../src/core/change.ts'
import { identifier, literal } from '../../src/core/sql.ts'
import { awaitSql, sql, tableIdentifier, transaction } from './postgres_sql.ts'
import type { State, Subscription } from './postgres_subscription_state.ts'

/** A promotion waits for it. @unit milliseconds */
const SOON_MS = 10

interface Named {
  readonly name: string
  readonly database: string
}

export interface Wanted extends Named {
  readonly conninfo: string
  readonly publication: string
  readonly slot: string
  readonly tables: readonly string[]
  readonly copy_data: boolean
  readonly enabled: boolean
  readonly synchronous_commit: string
}

/**
 * DROP SUBSCRIPTION speaks to the publisher when a copy was under way, though detached; with a dead
 * publisher it once blocked for a minute (feasibility 7). @unit milliseconds
 */
const DROP_TIMEOUT_MS = 10_000

export function absentChanges(state: State, named: Named): readonly Change[] {
  if (state.kind === 'missing') return []
  const subscription = identifier(named.name)
  return [
    ...disableChanges(state, named),
    ...(state.slot === null
      ? []
      : [
          transaction(named.database, [
            `alter subscription ${subscription} set (slot_name = none)`,
          ]),
        ]),
    sql(named.database, `drop subscription ${subscription}`, {
      timeoutMs: DROP_TIMEOUT_MS,
      tolerate: 'detached and disabled it does nothing; the next converge drops it',
    }),
  ]
}

export function presentChanges(state: State, wanted: Wanted): readonly Change[] {
  if (state.kind === 'missing') return [create(wanted)]
  if (state.slot !== wanted.slot) return [...goneChanges(state, wanted), create(wanted)]
  return [...optionChanges(state, wanted), ...tableChanges(state, wanted)]
}

/** Before another one of its name is made it must be gone: here a failing drop fails the step. */
export function goneChanges(state: State, named: Named): readonly Change[] {
  return absentChanges(state, named).map(intolerant)
}

function intolerant(change: Change): Change {
  if (change.kind !== 'sql') return change
  const { tolerate: _, ...rest } = change
  return rest
}

function create(wanted: Wanted): Change {
  const { name, database, conninfo, publication, slot, tables, copy_data, enabled } = wanted
  const held = copy_data ? tables.map(emptyStill) : []
  // PostgreSQL 18 streams big transactions to workers of their own where nothing is said; 15 streams none.
  const text =
    `create subscription ${identifier(name)} connection ${literal(conninfo)} ` +
    `publication ${identifier(publication)} with (create_slot = false, slot_name = ${literal(slot)}, ` +
    `copy_data = ${copy_data}, enabled = ${enabled}, streaming = off, ` +
    `synchronous_commit = ${wanted.synchronous_commit})`
  return transaction(database, [...held, text])
}

/**
 * What the worker of the subscription before had copied is committed before it ends, and after the table
 * was seen to be empty: this copy would stop at its first key, try again for ever, and look well from
 * outside, for the stream beside it lives.
 */
function emptyStill(table: string): string {
  const why = `${table} has rows by now: a copy into it would stop at the first key that is there. The next converge moves them aside`
  return `do $held$ begin
    if exists (select from ${tableIdentifier(table)}) then raise exception using message = ${literal(why)}; end if;
  end $held$`
}

/** Changes in place: made anew on the same slot it would lose its origin (B4). */
function optionChanges(state: Subscription, wanted: Wanted): readonly Change[] {
  const alter = `alter subscription ${identifier(wanted.name)}`
  const statements = [
    ...(state.conninfo === wanted.conninfo
      ? []
      : [`${alter} connection ${literal(wanted.conninfo)}`]),
    ...(state.synchronousCommit === wanted.synchronous_commit
      ? []
      : [`${alter} set (synchronous_commit = ${wanted.synchronous_commit})`]),
    ...(state.publications.length === 1 && state.publications[0] === wanted.publication
      ? []
      : [`${alter} set publication ${identifier(wanted.publication)} with (refresh = false)`]),
    ...(wanted.enabled && !state.enabled ? [`${alter} enable`] : []),
  ]
  return [
    ...(statements.length === 0 ? [] : [transaction(wanted.database, statements)]),
    ...(wanted.enabled ? [] : disableChanges(state, wanted)),
  ]
}

/** PostgreSQL learns the publication's tables of an enabled subscription only, outside a transaction. */
function tableChanges(state: Subscription, wanted: Wanted): readonly Change[] {
  const known = wanted.tables.every((table) => table in state.tables)
  if (known || !wanted.enabled) return []
  const text =
    `alter subscription ${identifier(wanted.name)} refresh publication ` +
    `with (copy_data = ${wanted.copy_data})`
  return [sql(wanted.database, text)]
}

/** A disabled subscription may still write: its workers are ended, and waited for (A6). */
export function disableChanges(state: Subscription, { name, database }: Named): readonly Change[] {
  if (!state.enabled && state.workers.length === 0) return []
  const disable = `alter subscription ${identifier(name)} disable`
  return [
    ...(state.enabled ? [transaction(database, [disable])] : []),
    sql(
      database,
      'select pg_terminate_backend(pid) from pg_stat_subscription where subname = $1 and pid is not null',
      { values: [name] },
    ),
    awaitSql(
      'the workers of the subscription to end',
      database,
      `select not exists (select from pg_stat_subscription where subname = $1 and pid is not null)
        and not exists (select from pg_stat_activity where pid = any($2::int[]))`,
      { values: [name, `{${state.workers.join(',')}}`], intervalMs: SOON_MS },
    ),
  ]
}
