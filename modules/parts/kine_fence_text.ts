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
