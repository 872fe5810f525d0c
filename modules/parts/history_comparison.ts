import { TwonodeError } from '../../src/core/errors.ts'
import type { Observer } from '../../src/core/host.ts'
import type { ForkPoint } from '../../src/core/site.ts'
import { readNumbers, sameNumbers } from './kine_numbers.ts'

interface Compared {
  readonly database: string
  readonly publication: string
  readonly fork: ForkPoint
}

interface OwnSlot {
  readonly walStatus: string | null
  readonly plugin: string | null
  readonly database: string | null
  readonly reaches: boolean
}

/** Decoding all that the slot has kept. @unit milliseconds */
const PEEK_TIMEOUT_MS = 120_000

/**
 * What makes this host's table another than its successor's at the fork, in words; undefined: nothing
 * does (A1). What can not be told counts as a difference.
 */
export async function compareHistory(host: Observer, asked: Compared): Promise<string | undefined> {
  const account = await slotsAccount(host, asked)
  if (typeof account === 'string') return account
  const { slot, lsn } = account
  const beyond = await commitsBeyond(host, asked, { slot, lsn })
  if (typeof beyond === 'string') return beyond
  if (beyond > 0)
    return `${beyond} transactions were committed here beyond ${lsn}, which the leader never had`
  const own = await readNumbers(host, asked.database)
  if (sameNumbers(own, asked.fork)) return undefined
  return `the table here has ${own.count} rows up to ${own.max}, the leader's had ${asked.fork.count} up to ${asked.fork.max}`
}

/** Where this host's own slot shows what is beyond the fork, or why nothing does. */
export async function slotsAccount(
  host: Observer,
  { database, fork }: Pick<Compared, 'database' | 'fork'>,
): Promise<Position | string> {
  const { lsn, slot } = fork
  if (lsn === null || slot === null) return 'nothing was streamed to the leader before it led'
  const unusable = slotProblem(await ownSlot(host, database, { slot, lsn }), { database, fork })
  return unusable ?? { slot, lsn }
}

export interface Position {
  readonly slot: string
  readonly lsn: string
}

async function ownSlot(
  host: Observer,
  database: string,
  { slot, lsn }: Position,
): Promise<OwnSlot | undefined> {
  const text = `
    select wal_status as "walStatus", plugin::text, database::text,
      pg_current_wal_flush_lsn() >= $2::pg_lsn as reaches
    from pg_replication_slots where slot_name = $1`
  const [found] = await host.sql<OwnSlot>(database, text, [slot, lsn])
  return found
}

function slotProblem(
  found: OwnSlot | undefined,
  { database, fork }: Pick<Compared, 'database' | 'fork'>,
): string | undefined {
  if (found === undefined)
    return `the slot ${fork.slot ?? ''} is gone: nothing shows what it missed`
  if (found.plugin !== 'pgoutput' || found.database !== database)
    return `the slot ${fork.slot ?? ''} is someone else's`
  if (found.walStatus === 'lost') return `the slot ${fork.slot ?? ''} has lost its WAL`
  return found.reaches ? undefined : `the WAL here does not reach ${fork.lsn ?? ''}`
}

/**
 * Transactions of published tables that end beyond a position; a text: it can not be told. Commit
 * messages begin with C, and their position is the transaction's end, as the origin's is.
 * @source https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html
 */
async function commitsBeyond(
  host: Observer,
  { database, publication }: Compared,
  { slot, lsn }: Position,
): Promise<number | string> {
  const text = `
    select count(*) as beyond
    from pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', $2)
    where get_byte(data, 0) = ascii('C') and lsn > $3::pg_lsn`
  const bounds = { statementTimeoutMs: PEEK_TIMEOUT_MS, lockTimeoutMs: 5_000 }
  try {
    const quoted = `"${publication.replaceAll('"', '""')}"`
    const [row] = await host.sql<{ beyond: number }>(database, text, [slot, quoted, lsn], bounds)
    return row?.beyond ?? 'nothing was answered'
  } catch (error) {
    const isRefusal = error instanceof TwonodeError && error.code === 'E_SQL'
    // Someone reads it this very moment: that passes.
    if (!isRefusal || error.message.includes('is active for')) throw error
    return `the slot ${slot} can not be read: ${error.message}`
  }
}
