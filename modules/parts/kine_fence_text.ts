import { literal } from '../../src/core/sql.ts'

const MESSAGE = 'twonode: this host is not the leader'

/** SQLSTATE read_only_sql_transaction: what a standby would answer. */
export const BODY = `begin raise exception using errcode = '25006', message = ${literal(MESSAGE)}; end`

/** As pg_get_triggerdef gives it. */
export const DEFINITION =
  'CREATE TRIGGER twonode_fence BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.kine ' +
  'FOR EACH STATEMENT EXECUTE FUNCTION twonode.fence()'

/** Puts the fence on public.kine, whatever was there. */
export const RAISE: readonly string[] = [
  'create schema if not exists twonode',
  `create or replace function twonode.fence() returns trigger language plpgsql as ${literal(BODY)}`,
  'create or replace trigger twonode_fence before insert or update or delete or truncate ' +
    'on public.kine for each statement execute function twonode.fence()',
  // In mode O the apply and tablesync workers pass it, and nobody else (B1).
  'alter table public.kine enable trigger twonode_fence',
]

/** How long the table is asked for before whoever holds it is ended. @unit milliseconds */
const ASK_MS = 50

/**
 * Takes the table from this role's sessions, for as long as the transaction lasts. They are ended while
 * it is asked for: the peer's kine, which connects by itself, may have begun another write since the
 * ones before were ended, and that one waits for a follower too.
 */
export function takeFrom(role: string, timeoutMs: number): string {
  return `do $take$
    declare began timestamptz := clock_timestamp(); bound text := current_setting('lock_timeout');
    begin loop
      begin
        perform set_config('lock_timeout', '${ASK_MS}ms', true);
        lock table public.kine in share row exclusive mode;
        perform set_config('lock_timeout', bound, true);
        exit;
      exception when lock_not_available then
        if clock_timestamp() >= began + interval '${timeoutMs} milliseconds' then raise; end if;
        perform pg_stat_clear_snapshot();
        perform pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
          where relation = 'public.kine'::regclass and granted
            and backend_type = 'client backend' and usename = ${literal(role)};
      end;
    end loop; end $take$`
}
