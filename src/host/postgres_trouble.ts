import { DatabaseError } from 'pg'
import { NotYet, TwonodeError, messageOf } from '../core/errors.ts'
import type { SqlValue } from '../core/host.ts'
import { MASK, redactor, Secret } from '../core/secret.ts'
import { systemCode } from './filesystem_error.ts'

const CANNOT_CONNECT_NOW = '57P03'

/**
 * SQLSTATEs that say "not there yet": an earlier step, or the server's own start, will change that.
 * @source https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
const NOT_YET: Readonly<Record<string, string>> = {
  [CANNOT_CONNECT_NOW]: 'PostgreSQL is starting up or shutting down',
  '3D000': 'the database does not exist',
  '28000': 'PostgreSQL does not let root in as this role yet (pg_ident and pg_hba)',
  '28P01': 'PostgreSQL asks for a password on its socket',
  '3F000': 'the schema does not exist',
  '42P01': 'the table does not exist',
}

/** What the system says when nobody listens on the socket. */
const NOBODY_LISTENS = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EACCES'])

/** pg's own words for a server that took the connection and never answered. */
const CONNECT_EXPIRED = 'timeout expired'

export interface Asked {
  readonly database: string
  /** Empty while connecting. */
  readonly text: string
  readonly values: readonly SqlValue[]
}

/** The server did not answer: its own bound should have ended the statement before. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** The session ended before the statement was sent. */
export class SessionGone extends Error {
  override readonly name = 'SessionGone'
  constructor() {
    super('the session ended before this statement')
  }
}

/** What went wrong in PostgreSQL, as an error of ours that keeps the original as its cause. */
export function trouble(error: unknown, asked: Asked): NotYet | TwonodeError {
  const where = `database ${asked.database}`
  if (error instanceof NoAnswer) return refused(`no answer within ${error.message}`, error, asked)
  if (!(error instanceof DatabaseError)) {
    const reason = messageOf(error)
    if (asked.text !== '') return refused(`the connection broke: ${reason}`, error, asked)
    if (NOBODY_LISTENS.has(systemCode(error) ?? ''))
      return new NotYet(`${where}: no PostgreSQL listens on its socket`, { cause: error })
    if (reason === CONNECT_EXPIRED)
      return new NotYet(`${where}: PostgreSQL took the connection and does not answer`, {
        cause: error,
      })
    return new NotYet(`${where}: can not connect to PostgreSQL: ${reason}`, { cause: error })
  }
  const words = NOT_YET[error.code ?? '']
  if (words !== undefined)
    return new NotYet(`${where}: ${words}: ${error.message}`, { cause: error })
  return refused(`${error.message} (${error.code})`, error, asked)
}

function refused(reason: string, cause: unknown, { database, text, values }: Asked): TwonodeError {
  const shown = values.map((value) => (value instanceof Secret ? MASK : String(value)))
  const from = cause instanceof DatabaseError ? cause : undefined
  const lines = [
    from?.detail === undefined ? undefined : `detail: ${from.detail}`,
    from?.hint === undefined ? undefined : `hint: ${from.hint}`,
    from?.where === undefined ? undefined : `where: ${from.where}`,
    text === '' ? undefined : `statement: ${text.trim()}`,
    shown.length === 0 ? undefined : `values: ${shown.join(', ')}`,
  ].filter((line) => line !== undefined)
  // The server quotes values in its words: a duplicate key's, say.
  const clean = redactor(values.filter((value) => value instanceof Secret))
  return new TwonodeError('E_SQL', clean(`PostgreSQL, database ${database}: ${reason}`), {
    ...(lines.length === 0 ? {} : { detail: clean(lines.join('\n')) }),
    cause,
  })
}

/** True if the server ended the session by itself, before or instead of the statement. */
export function isSessionEnded(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { cause } = error
  return cause instanceof SessionGone || (cause instanceof DatabaseError && cause.code === '57P01')
}

/** True if the server is there and lets nobody in yet, or any more: crash recovery, say. */
export function isStartingUp(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { cause } = error
  return cause instanceof DatabaseError && cause.code === CANNOT_CONNECT_NOW
}

/** True if the server is starting, or nobody listens on its socket yet. */
export function isNotServing(error: unknown): boolean {
  if (isStartingUp(error)) return true
  return error instanceof NotYet && NOBODY_LISTENS.has(systemCode(error.cause) ?? '')
}

/** True if the connection can't be used again after this error. */
export function losesConnection(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.severity !== 'ERROR'
}
