import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import {
  type Bench,
  applyAll,
  converge,
  kineWrites,
  makeKine,
  plan,
  result,
  startBench,
  step,
  until,
} from '../support/postgres_bench.ts'
import { postgresSubscription } from '../../modules/postgres_subscription.ts'
import { moduleCases } from '../support/module_cases.ts'

let leader: Bench
let follower: Bench
beforeAll(async () => {
  ;[leader, follower] = await Promise.all([startBench({ tcp: true }), startBench({ tcp: true })])
  for (const { host } of [leader, follower]) {
    await makeKine(host)
    await converge(host, 'postgres_publication', {
      name: 'twonode',
      database: 'kine',
      tables: ['public.kine'],
    })
  }
  await converge(leader.host, 'kine_fence', { database: 'kine', state: 'off' })
  await converge(follower.host, 'kine_fence', { database: 'kine', state: 'on' })
})
afterAll(async () => {
  await Promise.all([leader.close(), follower.close()])
})
beforeEach(async () => {
  await converge(follower.host, 'postgres_subscription', absent)
  await follower.server.sql('kine', 'set session_replication_role = replica; truncate kine')
  await leader.server.sql('kine', 'truncate kine restart identity')
  for (const name of ['h2_1_1', 'h2_1_2'])
    await converge(leader.host, 'replication_slot', { name, database: 'kine', state: 'absent' })
  await converge(leader.host, 'replication_slot', {
    name: 'h2_1_1',
    database: 'kine',
    publication: 'twonode',
  })
})

const absent = { name: 'twonode', database: 'kine', state: 'absent' }

const present = (over: JsonObject = {}): JsonObject => ({
  name: 'twonode',
  database: 'kine',
  publication: 'twonode',
  slot: 'h2_1_1',
  connection: {
    host: '127.0.0.1',
    port: leader.server.port,
    user: 'postgres',
    database: 'kine',
    sslmode: 'disable',
    application_name: 'h2',
  },
  ...over,
})

const isReady = async () =>
  await until(
    follower.server,
    'kine',
    "select count(*) > 0 and bool_and(srsubstate = 'r') from pg_subscription_rel",
  )

const arrives = async (id: number) =>
  await until(follower.server, 'kine', `select exists (select from kine where id = ${id})`)

const workers = async () => {
  const found = await follower.server.sql(
    'kine',
    "select pid from pg_stat_activity where backend_type = 'logical replication worker'",
  )
  return found.length
}

moduleCases(postgresSubscription)

describe('making it', () => {
  test('it copies what is there, follows what comes, and a second run is empty', async () => {
    const old = await kineWrites(leader.server, '/registry/old', 'x')
    const predicted = await plan(follower.host, step('postgres_subscription', present()))
    expect(predicted).toHaveLength(1)
    await applyAll(follower.host, predicted)
    expect(await converge(follower.host, 'postgres_subscription', present())).toEqual([])
    await isReady()
    await arrives(old)
    await arrives(await kineWrites(leader.server, '/registry/new', 'y'))
    expect(await result(follower.host, 'postgres_subscription', present())).toMatchObject({
      exists: true,
      enabled: true,
      slot: 'h2_1_1',
      tables: { 'public.kine': 'r' },
      ready: true,
      workers: 1,
      origin_lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    })
  })

  test('it makes no slot at the publisher, and its worker commits to the disk', async () => {
    await converge(follower.host, 'postgres_subscription', present())
    await isReady()
    expect(
      await follower.server.sql('kine', 'select subslotname, subsynccommit from pg_subscription'),
    ).toEqual([{ subslotname: 'h2_1_1', subsynccommit: 'on' }])
    await until(
      leader.server,
      'kine',
      "select array_agg(slot_name::text) = '{h2_1_1}' from pg_replication_slots",
    )
  })

  test('a copy into a table that has rows is refused: it would stop at the first key', async () => {
    await follower.server.sql(
      'kine',
      "set session_replication_role = replica; insert into kine (id, name) values (1, 'x')",
    )
    await expect(plan(follower.host, step('postgres_subscription', present()))).rejects.toThrow(
      'refused: public.kine has rows already',
    )
    // Without a copy it is a rejoin, and fine.
    await converge(follower.host, 'postgres_subscription', present({ copy_data: false }))
  })

  test('a slot, a publication and a connection must be given', () => {
    expect(() => step('postgres_subscription', { name: 'twonode', database: 'kine' })).toThrow(
      "'connection' is missing",
    )
    expect(() =>
      step(
        'postgres_subscription',
        present({ connection: { host: 'x', user: 'y', database: 'z', password: 'p' } }),
      ),
    ).toThrow("unknown key 'password'")
  })
})

describe('changing it', () => {
  beforeEach(async () => {
    await converge(follower.host, 'postgres_subscription', present())
    await isReady()
  })

  test('B4: another connection is an ALTER, and no change comes twice or is lost', async () => {
    await kineWrites(leader.server, '/registry/a', '1')
    const connection = { ...(present()['connection'] as JsonObject), application_name: 'h2_new' }
    const changed = await converge(follower.host, 'postgres_subscription', present({ connection }))
    expect(changed).toEqual([expect.stringContaining('alter subscription "twonode" connection')])
    await arrives(await kineWrites(leader.server, '/registry/b', '2'))
    await until(
      leader.server,
      'kine',
      "select exists (select from pg_stat_replication where application_name = 'h2_new')",
    )
    expect(await converge(follower.host, 'postgres_subscription', present({ connection }))).toEqual(
      [],
    )
  })

  test.each([
    [
      'disabled by hand',
      'alter subscription twonode disable',
      'alter subscription "twonode" enable',
    ],
    [
      'told to commit later',
      'alter subscription twonode set (synchronous_commit = off)',
      'set (synchronous_commit = on)',
    ],
    [
      'at another publication',
      'alter subscription twonode set publication other with (refresh = false)',
      'set publication "twonode"',
    ],
  ])('B4: one that was %s is put right in place', async (_, drift, words) => {
    await follower.server.sql('kine', drift)
    expect(await converge(follower.host, 'postgres_subscription', present())).toEqual([
      expect.stringContaining(words),
    ])
    await arrives(await kineWrites(leader.server, '/registry/after', 'x'))
  })

  test('A6: disabled means that no worker is alive, and where its history ended is told', async () => {
    await kineWrites(leader.server, '/registry/a', '1')
    await converge(follower.host, 'postgres_subscription', present({ enabled: false }))
    expect(await workers()).toBe(0)
    expect(
      await result(follower.host, 'postgres_subscription', present({ enabled: false })),
    ).toMatchObject({
      enabled: false,
      workers: 0,
      origin_lsn: expect.stringMatching(/\//),
    })
    expect(
      await converge(follower.host, 'postgres_subscription', present({ enabled: false })),
    ).toEqual([])
  })

  test('A6: a worker that outlives DISABLE is ended', async () => {
    const [{ pid } = { pid: 0 }] = await follower.server.sql<{ pid: number }>(
      'kine',
      "select pid from pg_stat_subscription where subname = 'twonode'",
    )
    process.kill(pid, 'SIGSTOP')
    try {
      await follower.server.sql('kine', 'alter subscription twonode disable')
      const changes = await plan(
        follower.host,
        step('postgres_subscription', present({ enabled: false })),
      )
      expect(changes.map(({ kind }) => kind)).toEqual(['sql', 'await'])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await converge(follower.host, 'postgres_subscription', present({ enabled: false }))
    expect(await workers()).toBe(0)
  })

  test('B3: another slot is another history: it is made anew, without a copy if none is asked for', async () => {
    await converge(follower.host, 'postgres_subscription', present({ enabled: false }))
    await converge(leader.host, 'replication_slot', {
      name: 'h2_1_2',
      database: 'kine',
      publication: 'twonode',
    })
    const rejoin = present({ slot: 'h2_1_2', copy_data: false })
    expect(await converge(follower.host, 'postgres_subscription', rejoin)).toEqual([
      expect.stringContaining('set (slot_name = none)'),
      expect.stringContaining('drop subscription "twonode"'),
      expect.stringContaining('create subscription "twonode"'),
    ])
    await arrives(await kineWrites(leader.server, '/registry/after', 'x'))
  })

  test('A2: one that followed its table into another schema is refused', async () => {
    await follower.server.sql('kine', 'create schema old; alter table kine set schema old')
    try {
      await expect(plan(follower.host, step('postgres_subscription', present()))).rejects.toThrow(
        'refused: subscription twonode writes to old.kine',
      )
    } finally {
      await follower.server.sql('kine', 'alter table old.kine set schema public; drop schema old')
    }
  })

  test('A2: one that has not learnt of its table asks its publisher again', async () => {
    await leader.server.sql('kine', 'alter publication twonode drop table kine')
    await follower.server.sql('kine', 'alter subscription twonode refresh publication')
    await leader.server.sql('kine', 'alter publication twonode add table kine')
    expect(await result(follower.host, 'postgres_subscription', present())).toMatchObject({
      tables: {},
    })
    expect(await converge(follower.host, 'postgres_subscription', present())).toEqual([
      expect.stringContaining('refresh publication'),
    ])
    await isReady()
  })
})

describe('removing it', () => {
  test('cut after any change, the next run removes it, and the slot at the publisher stays', async () => {
    await converge(follower.host, 'postgres_subscription', present())
    await isReady()
    const whole = await plan(follower.host, step('postgres_subscription', absent))
    expect(whole.map(({ kind }) => kind)).toEqual([
      'sqlTransaction',
      'sql',
      'await',
      'sqlTransaction',
      'sql',
    ])
    for (let cut = 0; cut < whole.length; cut += 1) {
      await converge(follower.host, 'postgres_subscription', present({ copy_data: false }))
      const changes = await plan(follower.host, step('postgres_subscription', absent))
      await applyAll(follower.host, changes.slice(0, cut))
      await converge(follower.host, 'postgres_subscription', absent)
      expect(await plan(follower.host, step('postgres_subscription', absent))).toEqual([])
      expect(await workers()).toBe(0)
    }
    expect(await leader.server.sql('kine', 'select slot_name from pg_replication_slots')).toEqual([
      { slot_name: 'h2_1_1' },
    ])
  })

  test('finding 7: with a dead publisher in the middle of a copy it ends in time, and is harmless', async () => {
    await converge(follower.host, 'postgres_subscription', present())
    await leader.server.signal('SIGSTOP')
    try {
      const begin = performance.now()
      await converge(follower.host, 'postgres_subscription', absent)
      expect(performance.now() - begin).toBeLessThan(25_000)
      expect(await workers()).toBe(0)
      const left = await result(follower.host, 'postgres_subscription', absent)
      if (left['exists'] === true)
        expect(left).toMatchObject({ enabled: false, slot: null, workers: 0 })
    } finally {
      await leader.server.signal('SIGCONT')
    }
    await converge(follower.host, 'postgres_subscription', absent)
    expect(await result(follower.host, 'postgres_subscription', absent)).toEqual({ exists: false })
  })
})
