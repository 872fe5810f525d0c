import type { SalvageRequest, SalvageSource } from '../core/salvage.ts'
import { ROW_COLUMNS } from '../salvage/kine_row.ts'
import { newSession, type PostgresOptions, type Session } from './postgres_session.ts'
import { trouble } from './postgres_trouble.ts'

/** Decoding all that a slot has kept, which the first fetch waits for; as in kine_history. @unit milliseconds */
const STATEMENT_TIMEOUT_MS = 120_000

/** @unit milliseconds */
const PATIENCE = {
  connectMs: 3_000,
  bounds: { statementTimeoutMs: STATEMENT_TIMEOUT_MS, lockTimeoutMs: 5_000 },
  graceMs: 5_000,
}

/** A fetch grows to as many rows while they are small: one may have some megabytes. */
const MOST_ROWS = 256

/** What a fetch should bring. @unit bytes */
const FETCH_BYTES = 512 * 1024

type Row = Readonly<Record<string, unknown>>

interface Query {
  readonly text: string
  readonly values: readonly unknown[]
}

/**
 * The rows of a source, a few at a time: a branch may be larger than the memory. The server keeps what a
 * slot shows in a temporary file of its own meanwhile.
 * @throws TwonodeError E_SQL as PostgreSQL refuses, NotYet while it does not serve
 */
export async function* salvageRows(
  { options, ended }: { readonly options: PostgresOptions; readonly ended: AbortSignal },
  { database, publication, source }: Pick<SalvageRequest, 'database' | 'publication' | 'source'>,
): AsyncGenerator<Row> {
  if (source.kind === 'none') return
  const session = newSession(options, PATIENCE, database)
  // One that breaks is seen by the fetch.
  session.client.on('error', () => {})
  const end = () => session.socket.destroy()
  ended.addEventListener('abort', end)
  const ask = async ({ text, values }: Query): Promise<readonly Row[]> => {
    // The server bounds its statements itself; a frozen one is given up.
    const patience = setTimeout(end, STATEMENT_TIMEOUT_MS + PATIENCE.graceMs)
    try {
      return (await session.client.query<Row>(text, [...values])).rows
    } catch (error) {
      throw trouble(error, { text, values: [], database })
    } finally {
      clearTimeout(patience)
    }
  }
  try {
    ended.throwIfAborted()
    await connect(session, database)
    await ask({ text: 'begin transaction isolation level repeatable read read only', values: [] })
    const { text, values } = queryOf(source, publication)
    await ask({ text: `declare salvage no scroll cursor for ${text}`, values })
    let wanted = 8
    for (;;) {
      const rows = await ask({ text: `fetch ${wanted} from salvage`, values: [] })
      yield* rows
      if (rows.length < wanted) return
      wanted = nextFetch(rows)
    }
  } finally {
    ended.removeEventListener('abort', end)
    session.socket.destroy()
  }
}

async function connect({ client }: Session, database: string): Promise<void> {
  try {
    await client.connect()
  } catch (error) {
    throw trouble(error, { text: '', values: [], database })
  }
}

function queryOf(
  source: Exclude<SalvageSource, { readonly kind: 'none' }>,
  publication: string,
): Query {
  if (source.kind === 'slot')
    return {
      text: `select data from pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', $2)`,
      values: [source.slot, `"${publication.replaceAll('"', '""')}"`],
    }
  if (source.kind === 'above')
    return {
      text: `select ${ROW_COLUMNS} from public.kine where id > $1 order by id`,
      values: [source.id],
    }
  return {
    text: `select ${ROW_COLUMNS} from (select distinct on (name) * from public.kine order by name, id desc) newest where deleted = 0`,
    values: [],
  }
}

/** By what the rows of before took. */
function nextFetch(rows: readonly Row[]): number {
  const bytes = rows.reduce((sum, row) => sum + sizeOf(row), 0)
  const fitting = Math.floor((FETCH_BYTES * rows.length) / Math.max(1, bytes))
  return Math.max(1, Math.min(MOST_ROWS, rows.length * 2, fitting))
}

function sizeOf(row: Row): number {
  return Object.values(row).reduce<number>(
    (sum, value) => sum + (Buffer.isBuffer(value) ? value.length : 16),
    0,
  )
}
