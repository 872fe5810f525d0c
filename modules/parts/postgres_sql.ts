import type { Await, Change, Sql, SqlTransaction } from '../../src/core/change.ts'
import { NotYet } from '../../src/core/errors.ts'
import type { Observer, SqlValue, Statement } from '../../src/core/host.ts'
import { identifier } from '../../src/core/sql.ts'

/** The database that every cluster has: roles, settings and databases are looked at from there. */
export const MAINTENANCE_DATABASE = 'postgres'

/**
 * Bound of one of our statements. They change catalogues and single rows: a longer one waits for
 * something, and the step should say so instead of hanging.
 * @unit milliseconds
 */
const STATEMENT_TIMEOUT_MS = 15_000

/**
 * Bound of the wait for a lock, below the statement's so that the error names the lock.
 * @unit milliseconds
 */
export const LOCK_TIMEOUT_MS = 5_000

/** How long a worker or a setting may take to do what it was told. @unit milliseconds */
const AWAIT_TIMEOUT_MS = 10_000

/** @unit milliseconds */
const AWAIT_INTERVAL_MS = 50

/** A checkpoint of a busy server may take minutes. @unit milliseconds */
const CHECKPOINT_TIMEOUT_MS = 120_000

/** Schema of a name that PostgreSQL takes as it is; longer ones would be cut in silence. */
export const NAME_FORM = {
  type: 'string',
  pattern: '^[^\\u0000]{1,63}$',
  'x-form': 'a name of 1 to 63 characters',
} as const

/** Schema of `schema.table`. */
export const TABLE_FORM = {
  type: 'string',
  pattern: '^[a-z_][a-z0-9_]{0,62}\\.[a-z_][a-z0-9_]{0,62}$',
  'x-form': "a table with its schema, in lower case, such as 'public.kine'",
} as const

export function sql(
  database: string,
  text: string,
  more: Omit<Sql, 'kind' | 'database' | 'text'> = {},
): Sql {
  return { kind: 'sql', database, text, timeoutMs: STATEMENT_TIMEOUT_MS, ...more }
}

export function transaction(
  database: string,
  statements: readonly (Statement | string)[],
  bounds: { readonly statementTimeoutMs?: number; readonly lockTimeoutMs?: number } = {},
): SqlTransaction {
  return {
    kind: 'sqlTransaction',
    database,
    statements: statements.map((one) => (typeof one === 'string' ? { text: one } : one)),
    statementTimeoutMs: bounds.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: bounds.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
  }
}

export function awaitSql(
  what: string,
  database: string,
  text: string,
  more: {
    readonly values?: readonly SqlValue[]
    readonly timeoutMs?: number
    readonly intervalMs?: number
  } = {},
): Await {
  const { values, timeoutMs = AWAIT_TIMEOUT_MS, intervalMs = AWAIT_INTERVAL_MS } = more
  const condition = { kind: 'sql', database, text } as const
  return {
    kind: 'await',
    what,
    until: values === undefined ? condition : { ...condition, values },
    timeoutMs,
    intervalMs,
  }
}

/** `public.kine` quoted for a statement. */
export function tableIdentifier(name: string): string {
  return name.split('.').map(identifier).join('.')
}

/** A role that an earlier task may still make. */
export async function requireRole(host: Observer, role: string): Promise<void> {
  const text = 'select from pg_roles where rolname = $1'
  const found = await host.sql(MAINTENANCE_DATABASE, text, [role])
  if (found.length === 0) throw new NotYet(`there is no role ${role}`)
}

/**
 * The postmaster reads the files before it tells its sessions to. A session that has read them anew
 * therefore shows that every connection opened from now on sees the value (A3).
 */
export function reloadSettings({ loadedAt }: { readonly loadedAt: string }): readonly Change[] {
  return [
    sql(MAINTENANCE_DATABASE, 'select pg_reload_conf()'),
    awaitSql(
      'PostgreSQL to read its settings again',
      MAINTENANCE_DATABASE,
      'select pg_conf_load_time()::text <> $1',
      { values: [loadedAt] },
    ),
  ]
}

/** Ends when it has returned. */
export function runCheckpoint(): Change {
  return sql(MAINTENANCE_DATABASE, 'checkpoint', { timeoutMs: CHECKPOINT_TIMEOUT_MS })
}
