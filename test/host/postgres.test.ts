import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { createLocalHost, type LocalHost } from '../../src/host/local.ts'
import { startPostgres, type ThrowawayPostgres } from '../support/throwaway_postgres.ts'

const BOUNDS = { statementTimeoutMs: 2_000, lockTimeoutMs: 200 }

let server: ThrowawayPostgres
let host: LocalHost

beforeAll(async () => {
  server = await startPostgres()
  host = hostFor(server)
})

afterAll(async () => {
  await host.close()
  await server.stop()
})

function hostFor({ socketDirectory, port }: { socketDirectory: string; port: number }): LocalHost {
  return createLocalHost({ name: 'h1', socketDirectory, port, digestsPath: null })
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it did not fail')
}

describe('sql', () => {
  test('gives rows, with parameters of every kind that modules use', async () => {
    const rows = await host.sql(
      'postgres',
      'select $1::text as text, $2::int as number, $3::bool as yes, $4::text as nothing, $5::bigint as big, $6::text as secret',
      ['ü', 7, true, null, 9_007_199_254_740_993n, new Secret('hidden-value', 'test')],
    )
    expect(rows).toEqual([
      {
        text: 'ü',
        number: 7,
        yes: true,
        nothing: null,
        big: '9007199254740993',
        secret: 'hidden-value',
      },
    ])
  })

  test('a bigint that fits a number is one', async () => {
    expect(
      await host.sql('postgres', 'select max(x) from generate_series(1::bigint, 5) x'),
    ).toEqual([{ max: 5 }])
  })

  test('every session commits locally, so that ours never wait for a dead follower (B1)', async () => {
    const [row] = await host.sql(
      'postgres',
      `select current_setting('synchronous_commit') as commit, current_setting('statement_timeout') as statement,
              current_setting('lock_timeout') as lock, current_setting('application_name') as name`,
    )
    expect(row).toEqual({ commit: 'local', statement: '30s', lock: '5s', name: 'twonode' })
  })

  test('thirty questions share one connection', async () => {
    const pids = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const [row] = await host.sql<{ pid: number }>('postgres', 'select pg_backend_pid() as pid')
        return row?.pid
      }),
    )
    expect(new Set(pids).size).toBe(1)
  })

  test('bounds of one statement do not stay for the next', async () => {
    const short = { statementTimeoutMs: 50, lockTimeoutMs: 50 }
    const error = await failure(host.sql('postgres', 'select pg_sleep(5)', [], short))
    expect(error.message).toContain('57014')
    const [row] = await host.sql('postgres', "select current_setting('statement_timeout') as now")
    expect(row).toEqual({ now: '30s' })
  })

  test('the last of several statements is the answer', async () => {
    expect(await host.sql('postgres', 'select 1 as one; select 2 as two')).toEqual([{ two: 2 }])
  })
})

describe('what is not there yet', () => {
  test.each([
    [
      'a missing socket',
      { socketDirectory: '/nonexistent' },
      'postgres',
      'select 1',
      'no PostgreSQL listens',
    ],
    ['a missing database', {}, 'nowhere', 'select 1', 'does not exist'],
    ['a missing table', {}, 'postgres', 'select * from nothing', 'does not exist'],
    ['a missing schema', {}, 'postgres', 'create table nowhere.x ()', 'does not exist'],
  ])('%s', async (_, where, database, text, words) => {
    const { socketDirectory, port } = server
    const there = hostFor({ socketDirectory, port, ...where })
    const error = await failure(there.sql(database, text))
    await there.close()
    expect(error).toBeInstanceOf(NotYet)
    expect(error.message).toContain(words)
  })

  test('a server that does not let root in yet: peer authentication before pg_ident', async () => {
    const strict = await startPostgres({ hba: 'local all all peer\n' })
    const host = hostFor(strict)
    try {
      const error = await failure(host.sql('postgres', 'select 1'))
      expect(error).toBeInstanceOf(NotYet)
      expect(error.message).toContain('pg_ident')
    } finally {
      await host.close()
      await strict.stop()
    }
  })

  test('a server that wants a password', async () => {
    const strict = await startPostgres({ hba: 'local all all scram-sha-256\n' })
    const host = hostFor(strict)
    try {
      expect(await failure(host.sql('postgres', 'select 1'))).toBeInstanceOf(NotYet)
    } finally {
      await host.close()
      await strict.stop()
    }
  })
})

describe('what PostgreSQL refuses', () => {
  test('carries its words, its code and the statement', async () => {
    const error = await failure(host.sql('postgres', 'select $1::int', ['x']))
    expect(error).toBeInstanceOf(TwonodeError)
    expect(error).toMatchObject({ code: 'E_SQL', exitCode: 3 })
    expect(error.message).toContain('invalid input syntax')
    expect(error.message).toContain('22P02')
    expect((error as TwonodeError).detail).toContain('statement: select $1::int')
  })

  test('never shows a secret, not even where the server quotes it', async () => {
    const secret = new Secret('s3cret-value', 'test')
    const error = await failure(host.sql('postgres', 'select $1::int', [secret]))
    const told = JSON.stringify((error as TwonodeError).toTrouble())
    expect(told).not.toContain('s3cret-value')
    expect(told).toContain('********')
  })
})

describe('transaction', () => {
  test('does all or nothing', async () => {
    await host.sql('postgres', 'create table pairs (id int primary key)')
    await host.transaction(
      'postgres',
      [
        { text: 'insert into pairs values ($1)', values: [1] },
        { text: 'insert into pairs values (2)' },
      ],
      BOUNDS,
    )
    const twice = host.transaction(
      'postgres',
      [{ text: 'insert into pairs values (3)' }, { text: 'insert into pairs values (1)' }],
      BOUNDS,
    )
    expect((await failure(twice)).message).toContain('23505')
    expect(await host.sql('postgres', 'select id from pairs order by id')).toEqual([
      { id: 1 },
      { id: 2 },
    ])
  })

  test('gives up on a lock that somebody else holds, and leaves the session usable', async () => {
    await host.sql('postgres', 'create table held (id int)')
    const other = hostFor(server)
    const holding = other.transaction(
      'postgres',
      [{ text: 'lock table held in exclusive mode' }, { text: 'select pg_sleep(1.5)' }],
      { statementTimeoutMs: 10_000, lockTimeoutMs: 1_000 },
    )
    const isHeld =
      "select count(*) as n from pg_locks where relation = 'held'::regclass and granted"
    const deadline = Date.now() + 5_000
    for (;;) {
      const [row] = await host.sql<{ n: number }>('postgres', isHeld)
      if (row?.n === 1) break
      if (Date.now() > deadline) throw new Error('the other never took its lock')
    }
    const mine = host.transaction('postgres', [{ text: 'insert into held values (1)' }], BOUNDS)
    expect((await failure(mine)).message).toContain('55P03')
    await holding
    await other.close()
    expect(await host.sql('postgres', 'select id from held')).toEqual([])
  })
})

describe('a server that goes away', () => {
  test('is asked again after a restart that an earlier step made', async () => {
    const own = await startPostgres()
    const host = hostFor(own)
    try {
      await host.sql('postgres', 'select 1')
      await own.restart()
      expect(await host.sql('postgres', 'select 2 as two')).toEqual([{ two: 2 }])
      await host.sql('postgres', 'create table t (id int)')
      await own.restart()
      await host.transaction('postgres', [{ text: 'insert into t values (1)' }], BOUNDS)
      expect(await host.sql('postgres', 'select id from t')).toEqual([{ id: 1 }])
      await own.halt()
      expect(await failure(host.sql('postgres', 'select 1'))).toBeInstanceOf(NotYet)
    } finally {
      await host.close()
      await own.stop()
    }
  })

  test('a session that was terminated is opened again', async () => {
    const other = hostFor(server)
    const [mine] = await other.sql<{ pid: number }>('postgres', 'select pg_backend_pid() as pid')
    await host.sql('postgres', 'select pg_terminate_backend($1, 5000)', [mine?.pid ?? 0])
    expect(await other.sql('postgres', 'select 1 as one')).toEqual([{ one: 1 }])
    await other.close()
  })

  test('a frozen server is given up in bounded time, and so is the connection', async () => {
    const own = await startPostgres()
    const host = hostFor(own)
    try {
      await host.sql('postgres', 'select 1')
      await own.signal('SIGSTOP')
      const begun = Date.now()
      const bounds = { statementTimeoutMs: 100, lockTimeoutMs: 100 }
      const error = await failure(host.transaction('postgres', [{ text: 'select 1' }], bounds))
      expect(error.message).toContain('no answer within')
      await host.close()
      expect(Date.now() - begun).toBeLessThan(20_000)
    } finally {
      await own.stop()
    }
  })
})
