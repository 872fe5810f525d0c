import type { QueryResult } from 'pg'
import type { SqlBounds, Statement } from '../core/host.ts'
import { reveal, Secret } from '../core/secret.ts'
import {
  newSession,
  type Patience,
  type PostgresOptions,
  type Session,
} from './postgres_session.ts'
import {
  isNotServing,
  isSessionEnded,
  losesConnection,
  NoAnswer,
  SessionGone,
  trouble,
} from './postgres_trouble.ts'

/** Bounds of a statement that names no others. */
export const SQL_BOUNDS: SqlBounds = { statementTimeoutMs: 30_000, lockTimeoutMs: 5_000 }

/** A local server that takes longer to accept is not answering. @unit milliseconds */
const CONNECT_TIMEOUT_MS = 3_000

/**
 * The server bounds its statements itself; this much later a frozen server is given up.
 * @unit milliseconds
 */
const ANSWER_GRACE_MS = 5_000

/** Between two knocks at a server that lets nobody in yet. @unit milliseconds */
const KNOCK_MS = 50

/** A server that does not take the goodbye is left without it. @unit milliseconds */
const CLOSE_TIMEOUT_MS = 1_000

const DEFAULT_PATIENCE: Patience = {
  connectMs: CONNECT_TIMEOUT_MS,
  bounds: SQL_BOUNDS,
  graceMs: ANSWER_GRACE_MS,
}

/** The SQL half of a host: one connection a database, opened when first used. */
export interface Postgres {
  readonly query: <Row>(
    database: string,
    statement: Statement,
    bounds: SqlBounds | undefined,
  ) => Promise<readonly Row[]>
  readonly transaction: (
    database: string,
    statements: readonly Statement[],
    bounds: SqlBounds,
  ) => Promise<void>
  /**
   * From now on, and for so long, a server that is starting or not there yet is waited for; 0 ends that
   * for who waits already. Without it such a server is an error at once.
   */
  readonly awaitServer: (ms: number) => void
  readonly close: () => Promise<void>
}

export function createPostgres(options: PostgresOptions): Postgres {
  const connections = new Map<string, Connection>()
  let awaitedUntil = 0
  const isAwaited = () => performance.now() < awaitedUntil
  const connectionTo = (database: string) => {
    const known = connections.get(database) ?? new Connection(options, database, isAwaited)
    connections.set(database, known)
    return known
  }
  return {
    query: async <Row>(database: string, statement: Statement, bounds: SqlBounds | undefined) =>
      (await connectionTo(database).query(statement, bounds)) as readonly Row[],
    transaction: async (database, statements, bounds) =>
      await connectionTo(database).transaction(statements, bounds),
    awaitServer: (ms) => {
      awaitedUntil = performance.now() + ms
    },
    close: async () => {
      await Promise.all([...connections.values()].map(async (one) => await one.close()))
    },
  }
}

/**
 * One database's connection. Statements run one after the other: each has its own bound, which starts
 * when the statement does.
 */
class Connection {
  readonly #options: PostgresOptions
  readonly #patience: Patience
  readonly #database: string
  readonly #isAwaited: () => boolean
  #session: Session | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: PostgresOptions, database: string, isAwaited: () => boolean) {
    this.#options = options
    this.#isAwaited = isAwaited
    this.#patience = options.patience ?? DEFAULT_PATIENCE
    this.#database = database
  }

  async query(statement: Statement, bounds: SqlBounds | undefined): Promise<readonly unknown[]> {
    return await this.#inTurn(async () => {
      return await this.#again(async (session) => {
        if (bounds === undefined) return await this.#send(session, statement, this.#patience.bounds)
        await this.#send(session, setBounds(bounds, false), this.#patience.bounds)
        try {
          return await this.#send(session, statement, bounds)
        } finally {
          await this.#resetBounds(session)
        }
      })
    })
  }

  async transaction(statements: readonly Statement[], bounds: SqlBounds): Promise<void> {
    await this.#inTurn(async () => {
      // All of it in one session: in another one, each statement would commit by itself.
      const session = await this.#again(async (opened) => {
        await this.#send(opened, { text: 'begin' }, bounds)
        return opened
      })
      try {
        await this.#send(session, setBounds(bounds, true), bounds)
        for (const statement of statements) await this.#send(session, statement, bounds)
        await this.#send(session, { text: 'commit' }, bounds)
      } catch (error) {
        await this.#rollback(session)
        throw error
      }
    })
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    if (session === undefined) return
    await Promise.race([session.client.end().catch(() => {}), elapsed(CLOSE_TIMEOUT_MS)])
    session.socket.destroy()
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(act)
    this.#turn = mine.catch(() => {})
    return await mine
  }

  /**
   * Once more if the server had ended the session: an earlier step restarted it, say. Only then is it
   * certain that nothing was done; a connection that breaks under a statement is an error.
   */
  async #again<T>(act: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await act(await this.#open())
    } catch (error) {
      if (!isSessionEnded(error)) throw error
      return await act(await this.#open())
    }
  }

  async #open(): Promise<Session> {
    this.#session ??= await this.#connectInTime()
    return this.#session
  }

  async #connectInTime(): Promise<Session> {
    for (;;) {
      try {
        return await this.#connect()
      } catch (error) {
        if (!isNotServing(error) || !this.#isAwaited()) throw error
        await elapsed(KNOCK_MS)
      }
    }
  }

  /** Asks in this session or not at all: what was said before holds in no other. */
  async #send(
    session: Session,
    { text, values = [] }: Statement,
    bounds: SqlBounds,
  ): Promise<readonly unknown[]> {
    try {
      if (this.#session !== session) throw new SessionGone()
      const parameters = values.map((value) => (value instanceof Secret ? reveal(value) : value))
      const answer = session.client.query(
        parameters.length === 0 ? { text } : { text, values: parameters },
      )
      return lastRows(await inTime(answer, bounds.statementTimeoutMs + this.#patience.graceMs))
    } catch (error) {
      if (losesConnection(error)) this.#drop(session)
      throw trouble(error, { text, values, database: this.#database })
    }
  }

  /** What the statement answered stands, however this goes. */
  async #resetBounds(session: Session): Promise<void> {
    // A lost session took its settings with it.
    if (this.#session !== session) return
    try {
      await this.#send(session, setBounds(this.#patience.bounds, false), this.#patience.bounds)
    } catch {
      this.#drop(session)
    }
  }

  async #rollback(session: Session): Promise<void> {
    // Without its session the server rolls back by itself.
    if (this.#session !== session) return
    try {
      await this.#send(session, { text: 'rollback' }, this.#patience.bounds)
    } catch {
      this.#drop(session)
    }
  }

  async #connect(): Promise<Session> {
    const session = newSession(this.#options, this.#patience, this.#database)
    const forget = () => {
      if (this.#session === session) this.#session = undefined
    }
    // A connection that breaks while nobody asks is opened again by the next statement.
    session.client.on('error', forget)
    session.client.on('end', forget)
    try {
      await session.client.connect()
      return session
    } catch (error) {
      session.socket.destroy()
      throw trouble(error, { text: '', values: [], database: this.#database })
    }
  }

  #drop(session: Session): void {
    session.socket.destroy()
    if (this.#session === session) this.#session = undefined
  }
}

function setBounds({ statementTimeoutMs, lockTimeoutMs }: SqlBounds, local: boolean): Statement {
  const text = "select set_config('statement_timeout', $1, $3), set_config('lock_timeout', $2, $3)"
  return { text, values: [inUnits(statementTimeoutMs), inUnits(lockTimeoutMs), local] }
}

/** Whole and never 0, which would mean no bound at all. */
function inUnits(ms: number): string {
  return `${Math.max(1, Math.ceil(ms))}ms`
}

/** Several statements in one text give several results: the last one is the answer. */
function lastRows(result: QueryResult | QueryResult[]): readonly unknown[] {
  const last = Array.isArray(result) ? result.at(-1) : result
  return last?.rows ?? []
}

async function inTime<T>(answer: Promise<T>, patienceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`${patienceMs / 1000} s`)), patienceMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

async function elapsed(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref())
}
