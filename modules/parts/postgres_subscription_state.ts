import type { Observer } from '../../src/core/host.ts'
import { tableIdentifier } from './postgres_sql.ts'

/** How far a table's copy is: `i` begun, `d` copying, `f` copied, `s` caught up, `r` ready (A3). */
type Sync = 'i' | 'd' | 'f' | 's' | 'r'

export interface Subscription {
  readonly kind: 'present'
  readonly enabled: boolean
  readonly conninfo: string
  /** null: detached. */
  readonly slot: string | null
  readonly synchronousCommit: string
  readonly publications: readonly string[]
  readonly tables: Readonly<Record<string, Sync>>
  /** Process ids of its apply and tablesync workers. */
  readonly workers: readonly number[]
  /** How far the publisher's history is applied here; null before the first change. */
  readonly originLsn: string | null
  /** Tables here that hold rows: nothing can be copied into them. */
  readonly filledTables: readonly string[]
}

export type State =
  | { readonly kind: 'missing'; readonly filledTables: readonly string[] }
  | Subscription

interface Asked {
  readonly name: string
  readonly database: string
  readonly state: 'present' | 'disabled' | 'absent'
  readonly slot?: string
  readonly tables: readonly string[]
  readonly copy_data: boolean
}

export async function observeSubscription(host: Observer, asked: Asked): Promise<State> {
  const { name, database } = asked
  const text = `
    select subenabled as enabled, subconninfo as conninfo, subslotname::text as slot,
      subsynccommit as "synchronousCommit", subpublications as publications,
      (select coalesce(json_object_agg(n.nspname || '.' || c.relname, r.srsubstate), '{}')
       from pg_subscription_rel r join pg_class c on c.oid = r.srrelid
       join pg_namespace n on n.oid = c.relnamespace where r.srsubid = s.oid) as tables,
      array(select w.pid from pg_stat_subscription w
            where w.subid = s.oid and w.pid is not null order by 1) as workers,
      (select remote_lsn::text from pg_replication_origin_status
       where external_id = 'pg_' || s.oid and remote_lsn <> '0/0') as "originLsn"
    from pg_subscription s join pg_database d on d.oid = s.subdbid
    where d.datname = current_database() and subname = $1`
  const [found] = await host.sql<Omit<Subscription, 'kind' | 'filledTables'>>(database, text, [
    name,
  ])
  const copies =
    asked.state === 'present' &&
    asked.copy_data &&
    (found === undefined || found.slot !== asked.slot)
  const filledTables = copies ? await filled(host, database, asked.tables) : []
  return found === undefined
    ? { kind: 'missing', filledTables }
    : { kind: 'present', ...found, filledTables }
}

async function filled(
  host: Observer,
  database: string,
  tables: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = []
  for (const table of tables) {
    const text = `select exists (select from ${tableIdentifier(table)}) as filled`
    const [row] = await host.sql<{ filled: boolean }>(database, text)
    if (row?.filled === true) found.push(table)
  }
  return found
}
