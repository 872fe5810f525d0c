import { Socket } from 'node:net'
import { Client, types } from 'pg'
import type { SqlBounds } from '../core/host.ts'

export interface PostgresOptions {
  /** Where the server's Unix socket is; an IP address also works. */
  readonly socketDirectory: string
  readonly port: number
  readonly user: string
  /** For sessions that must hear soon; default: those of a converge. */
  readonly patience?: Patience
}

/** How long a session waits, and for what. @unit milliseconds */
export interface Patience {
  readonly connectMs: number
  readonly bounds: SqlBounds
  /** After a statement's own bound. */
  readonly graceMs: number
}

/** The client, and its socket: only the socket can be closed on a server that does not answer. */
export interface Session {
  readonly client: Client
  readonly socket: Socket
}

export function newSession(
  options: PostgresOptions,
  { connectMs, bounds }: Patience,
  database: string,
): Session {
  const socket = new Socket()
  const client = new Client({
    host: options.socketDirectory,
    port: options.port,
    user: options.user,
    // Never from the environment or a password file: who may enter is pg_hba's and pg_ident's.
    password: '',
    ssl: false,
    database,
    application_name: 'twonode',
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    statement_timeout: bounds.statementTimeoutMs,
    lock_timeout: bounds.lockTimeoutMs,
    // B1: on a leader without its follower our own commits would wait for ever.
    options: '-c synchronous_commit=local -c client_min_messages=warning',
    types: { getTypeParser: parserOf },
    stream: () => socket,
  })
  return { client, socket }
}

/** Results as JavaScript values: whole numbers beyond 2^53 stay text, the rest is pg's own choice. */
const parserOf: typeof types.getTypeParser = (oid, format) =>
  oid === types.builtins.INT8 ? wholeNumber : types.getTypeParser(oid, format)

function wholeNumber(text: string): number | string {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : text
}
