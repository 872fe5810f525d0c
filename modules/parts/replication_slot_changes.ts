import type { Change } from '../../src/core/change.ts'
import { literal } from '../../src/core/sql.ts'
import { LOCK_TIMEOUT_MS, sql, transaction } from './postgres_sql.ts'

/** How long a walsender may take to go when it is told to. @unit milliseconds */
const EVICTION_MS = 5_000

/** @unit seconds */
const LOOK_EVERY_S = 0.005

const PLUGIN = 'pgoutput'

/**
 * PostgreSQL refuses to drop a slot in use, and a subscriber comes back within 200 ms (C1): its
 * walsender is ended and the slot dropped again and again, in the server, until one of them is faster.
 */
export function dropSlot(database: string, name: string): Change {
  const slot = literal(name)
  const text = `do $drop$
    declare began timestamptz := clock_timestamp();
    begin loop
      begin
        perform pg_drop_replication_slot(${slot});
        exit;
      exception
        when undefined_object then exit;
        when object_in_use then
          if clock_timestamp() >= began + interval '${EVICTION_MS} milliseconds' then raise; end if;
      end;
      perform pg_terminate_backend(active_pid) from pg_replication_slots
      where slot_name = ${slot} and active_pid is not null;
      perform pg_sleep(${LOOK_EVERY_S});
    end loop; end $drop$`
  return sql(database, text, { timeoutMs: EVICTION_MS + LOCK_TIMEOUT_MS })
}

/** Names of slots that PostgreSQL makes for the copy of a table, as a pattern. */
export const COPY = '^pg_[0-9]+_sync_'

/** A walsender that reads no slot: while a table's content is sent, the copy's slot has no reader. */
export const SOMEBODY_MAY_COPY = `exists (select from pg_stat_activity a where a.backend_type = 'walsender'
          and not exists (select from pg_replication_slots r where r.active_pid = a.pid))`

/** A worker that copies comes back within 200 ms (C1), or its follower's slot has no reader. @unit seconds */
const ORPHAN_S = 1

/** Drops the slot of a copy if nobody comes for it meanwhile. */
export function dropOrphan(database: string, name: string): Change {
  const slot = literal(name)
  const text = `do $drop$
    declare began timestamptz := clock_timestamp();
    begin loop
      perform pg_stat_clear_snapshot();
      if ${SOMEBODY_MAY_COPY} then exit; end if;
      if clock_timestamp() >= began + interval '${ORPHAN_S} seconds' then
        perform pg_drop_replication_slot(slot_name) from pg_replication_slots
        where slot_name = ${slot} and active_pid is null;
        exit;
      end if;
      perform pg_sleep(${LOOK_EVERY_S});
    end loop; end $drop$`
  return sql(database, text)
}

/** Makes it, or, if it may be missing, tries to. */
export function createSlot(
  database: string,
  name: string,
  { timeoutMs, required }: { readonly timeoutMs: number; readonly required: boolean },
): Change {
  const text = 'select pg_create_logical_replication_slot($1, $2)'
  const values = [name, PLUGIN]
  if (required) return transaction(database, [{ text, values }], { statementTimeoutMs: timeoutMs })
  const tolerate = 'a promotion goes on without it: the follower will need another one, and a copy'
  return sql(database, text, { values, timeoutMs, tolerate })
}

/** Remembers a name for good, whatever becomes of its slot (B3). */
export function recordSlot(database: string, name: string): Change {
  return transaction(database, [
    'create schema if not exists twonode',
    'create table if not exists twonode.slot (name text primary key, made timestamptz not null default now())',
    { text: 'insert into twonode.slot (name) values ($1) on conflict do nothing', values: [name] },
  ])
}
