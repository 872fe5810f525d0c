import { firstLineOf } from '../../core/errors.ts'
import { createPostgres, type Postgres } from '../../host/postgres.ts'
import type { Patience } from '../../host/postgres_session.ts'
import { isStartingUp } from '../../host/postgres_trouble.ts'
import type { FollowerSighting, LeaderSighting, PostgresSighting } from '../ports.ts'
import { CommitWaits, type Waiting } from './commit_waits.ts'

/** A server that lets nobody in for so long is asked again. @unit milliseconds */
const PATIENCE: Patience = {
  connectMs: 1_000,
  bounds: { statementTimeoutMs: 1_000, lockTimeoutMs: 500 },
  graceMs: 500,
}

/** More waiting commits than this say nothing new. */
const WAITING_MOST = 200

/**
 * All that a round asks of PostgreSQL, in one statement, of a host that leads or follows: it touches no
 * table of kine's and takes no lock that a writer could hold.
 * @source https://www.postgresql.org/docs/15/monitoring-stats.html
 */
const QUESTION = `
select
  pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::text as written,
  current_setting('synchronous_standby_names') <> '' as synchronous,
  to_regclass('public.kine') is not null as "hasTable",
  exists (select from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
    where p.pubname = 'twonode' and r.prrelid = to_regclass('public.kine') and r.prqual is null
      and r.prattrs is null and p.pubinsert and p.pubupdate and p.pubdelete) as published,
  (select json_agg(json_build_object(
      'key', pid || ' ' || extract(epoch from query_start),
      'ageMs', extract(epoch from clock_timestamp() - query_start) * 1000))
    from (select * from pg_stat_activity where wait_event = 'SyncRep'
      order by query_start limit ${WAITING_MOST}) waiting) as waiting,
  (select json_build_object('active', s.active, 'walStatus', s.wal_status, 'state', r.state,
      'flushed', pg_wal_lsn_diff(r.flush_lsn, '0/0')::text,
      'kept', pg_wal_lsn_diff(pg_current_wal_flush_lsn(), s.restart_lsn)::text)
    from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid
    where s.slot_name = $1) as slot,
  (select json_build_object('slot', s.subslotname, 'enabled', s.subenabled,
      'ready', (select count(*) = 1
          and bool_and(srrelid = to_regclass('public.kine') and srsubstate = 'r')
        from pg_subscription_rel where srsubid = s.oid),
      'copied', case when exists (select from pg_subscription_rel
          where srsubid = s.oid and srsubstate <> 'r')
        then concat_ws(' ',
          (select string_agg(concat(srsubstate, srsublsn), ' ' order by srrelid)
            from pg_subscription_rel where srsubid = s.oid),
          (select string_agg(received_lsn::text, ' ') from pg_stat_subscription
            where subid = s.oid and relid is not null),
          (select sum(tuples_processed)::text from pg_stat_progress_copy
            where relid = to_regclass('public.kine') and command = 'COPY FROM')) end,
      'workerAlive', exists (select from pg_stat_subscription w
        where w.subid = s.oid and w.relid is null and w.pid is not null),
      'errors', (select apply_error_count + sync_error_count
        from pg_stat_subscription_stats e where e.subid = s.oid))
    from pg_subscription s join pg_database d on d.oid = s.subdbid
    where s.subname = 'twonode' and d.datname = current_database()) as subscription`

/**
 * Of a host without a subscription, which a copy is to fill: between the swap of tables and the
 * subscription there is nothing else to know half a copy by (A2, A3).
 */
const IS_EMPTY = 'select not exists (select from public.kine) as empty'

/** Segments that a checkpoint has made ready for later carry names that are still to come. */
const SPARE = `
select coalesce(sum(size), 0)::text as bytes from pg_ls_waldir()
where name ~ '^[0-9A-F]{24}$' and name > pg_walfile_name(pg_current_wal_insert_lsn())`

/** Between two looks at that. @unit milliseconds */
const SPARE_MS = 5_000

/** What a subscription that has not begun would be. */
const NOTHING_COPIED: FollowerSighting = {
  slot: null,
  enabled: false,
  ready: false,
  copied: null,
  workerAlive: false,
  errors: 0,
}

interface Row {
  readonly written: string
  readonly synchronous: boolean
  readonly hasTable: boolean
  readonly published: boolean
  readonly waiting: readonly Waiting[] | null
  readonly slot: {
    readonly active: boolean
    readonly walStatus: string | null
    readonly state: string | null
    readonly flushed: string | null
    readonly kept: string | null
  } | null
  readonly subscription: {
    readonly slot: string | null
    readonly enabled: boolean
    readonly ready: boolean | null
    readonly copied: string | null
    readonly workerAlive: boolean
    readonly errors: number | null
  } | null
}

export interface PostgresProbeOptions {
  readonly socketDirectory: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/** The host's own PostgreSQL, over one connection that stays open, with local commits (B1). */
export class PostgresProbe {
  readonly #database: string
  readonly #postgres: Postgres
  readonly #waits = new CommitWaits()
  #spare = { bytes: 0, askedAt: -Infinity }
  #asking: Promise<PostgresSighting> | undefined

  constructor(options: PostgresProbeOptions) {
    this.#database = options.database
    this.#postgres = createPostgres({ ...options, patience: PATIENCE })
  }

  /** A table that somebody is moving just now is not known to be whole. */
  async #isEmpty({ hasTable }: Row): Promise<boolean> {
    if (!hasTable) return true
    const [row] = await this.#postgres
      .query<{ empty: boolean }>(this.#database, { text: IS_EMPTY, values: [] }, undefined)
      .catch(() => [])
    return row?.empty !== false
  }

  /** Its number changes slowly, and the question reads a directory. */
  async #spareBytes(now: number): Promise<number> {
    if (now - this.#spare.askedAt < SPARE_MS) return this.#spare.bytes
    const asked = { text: SPARE, values: [] }
    const [row] = await this.#postgres.query<{ bytes: string }>(this.#database, asked, undefined)
    this.#spare = { bytes: Number(row?.bytes ?? 0), askedAt: now }
    return this.#spare.bytes
  }

  /** `slot`: the follower's on this host, if it leads. Asked once at a time. */
  async look(slot: string | null): Promise<PostgresSighting> {
    this.#asking ??= this.#ask(slot).finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  async stop(): Promise<void> {
    await this.#postgres.close()
  }

  async #ask(slot: string | null): Promise<PostgresSighting> {
    const atMs = performance.now()
    try {
      const asked = { text: QUESTION, values: [slot ?? ''] }
      const [row] = await this.#postgres.query<Row>(this.#database, asked, undefined)
      if (row === undefined) return down('it answered nothing')
      const oldestWaitMs = this.#waits.oldest(row.waiting ?? [], atMs, performance.now())
      const spareBytes = await this.#spareBytes(atMs)
      const leader = { ...leaderOf(row, oldestWaitMs), spareBytes }
      const half = slot === null && row.subscription === null && (await this.#isEmpty(row))
      return { up: true, leader, follower: half ? NOTHING_COPIED : followerOf(row) }
    } catch (error) {
      return troubleOf(error)
    }
  }
}

function leaderOf(row: Row, oldestWaitMs: number): Omit<LeaderSighting, 'spareBytes'> {
  const { written, synchronous, published, slot } = row
  return {
    oldestWaitMs,
    slot: slotState(slot),
    streaming: slot?.state === 'streaming',
    synchronous,
    published,
    writtenBytes: Number(written),
    flushedBytes: slot?.flushed == null ? null : Number(slot.flushed),
    keptBytes: Number(slot?.kept ?? 0),
  }
}

function slotState(slot: Row['slot']): LeaderSighting['slot'] {
  if (slot === null) return 'missing'
  // Its WAL was given up (max_slot_wal_keep_size): what it missed can't be had from it.
  if (slot.walStatus === 'lost') return 'lost'
  return slot.active ? 'active' : 'idle'
}

function followerOf({ subscription }: Row): FollowerSighting | null {
  if (subscription === null) return null
  return { ...subscription, ready: subscription.ready === true, errors: subscription.errors ?? 0 }
}

function troubleOf(error: unknown): PostgresSighting {
  const words = firstLineOf(error)
  return { up: false, starting: isStartingUp(error), why: words }
}

function down(why: string): PostgresSighting {
  return { up: false, starting: false, why }
}
