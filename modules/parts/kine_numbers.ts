import type { Observer } from '../../src/core/host.ts'

/** What a fork point records of kine's table, and what the loser compares with it (A1). */
export interface KineNumbers {
  readonly count: number
  /** As text: it outgrows a number. */
  readonly sum: string
  readonly max: number
  readonly compactRevision: number
}

/** Columns of one row, over public.kine. */
export const NUMBERS = `count(*) as count, coalesce(sum(id), 0)::text as sum, coalesce(max(id), 0) as max,
  coalesce(max(prev_revision) filter (where name = 'compact_rev_key'), 0) as "compactRevision"`

/** A marker's row: its branch is the last part of its name. */
export const HIGHEST_BRANCH = `coalesce((select max(split_part(name, '/', 3)::bigint)
  from public.kine where name ~ '^twonode/branch/[0-9]+$'), 0)`

/** Reads the whole table. @unit milliseconds */
const TIMEOUT_MS = 120_000

export async function readNumbers(host: Observer, database: string): Promise<KineNumbers> {
  const bounds = { statementTimeoutMs: TIMEOUT_MS, lockTimeoutMs: 5_000 }
  const text = `select ${NUMBERS} from public.kine`
  const [row] = await host.sql<KineNumbers>(database, text, [], bounds)
  if (row === undefined) throw new Error('an aggregate without a row')
  return row
}

export function sameNumbers(one: KineNumbers, other: KineNumbers): boolean {
  return (
    one.count === other.count &&
    one.sum === other.sum &&
    one.max === other.max &&
    one.compactRevision === other.compactRevision
  )
}
