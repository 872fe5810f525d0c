import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresSubscription } from '../../modules/postgres_subscription.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { moduleCases } from '../support/module_cases.ts'
import {
  applyAll,
  converge,
  kineWrites,
  plan,
  result,
  step,
  until,
} from '../support/postgres_bench.ts'
import { ABSENT, type Pair, startPair } from '../support/replicating_pair.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair.close()
})
beforeEach(async () => {
  await pair.reset()
})

moduleCases(postgresSubscription)

describe('making it', () => {
  test('it copies what is there, follows what comes, and a second run is empty', async () => {
    const old = await kineWrites(pair.leader.server, '/registry/old', 'x')
    const predicted = await plan(pair.follower.host, step('postgres_subscription', pair.present()))
    expect(predicted).toHaveLength(1)
    await applyAll(pair.follower.host, predicted)
    expect(await converge(pair.follower.host, 'postgres_subscription', pair.present())).toEqual([])
    await pair.ready()
    await pair.arrives(old)
    await pair.arrives(await kineWrites(pair.leader.server, '/registry/new', 'y'))
    expect(await result(pair.follower.host, 'postgres_subscription', pair.present())).toMatchObject(
      {
        exists: true,
        enabled: true,
        slot: 'h2_1_1',
        tables: { 'public.kine': 'r' },
        ready: true,
        workers: 1,
        origin_lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
      },
    )
  })

  test('it makes no slot at the publisher, and its worker commits to the disk', async () => {
    await converge(pair.follower.host, 'postgres_subscription', pair.present())
    await pair.ready()
    expect(
      await pair.follower.server.sql(
        'kine',
        'select subslotname, subsynccommit from pg_subscription',
      ),
    ).toEqual([{ subslotname: 'h2_1_1', subsynccommit: 'on' }])
    await until(
      pair.leader.server,
      'kine',
      "select array_agg(slot_name::text) = '{h2_1_1}' from pg_replication_slots",
    )
  })

  test('a copy into a table that has rows is refused: it would stop at the first key', async () => {
    await pair.follower.server.sql(
      'kine',
      "set session_replication_role = replica; insert into kine (id, name) values (1, 'x')",
    )
    await expect(
      plan(pair.follower.host, step('postgres_subscription', pair.present())),
    ).rejects.toThrow(/refused: public.kine has rows already.*kine_table_swap keeps all of it/)
    // Without a copy it is a rejoin, and fine.
    await converge(pair.follower.host, 'postgres_subscription', pair.present({ copy_data: false }))
  })

  test('a slot, a publication and a connection must be given', () => {
    expect(() => step('postgres_subscription', { name: 'twonode', database: 'kine' })).toThrow(
      "'connection' is missing",
    )
    expect(() =>
      step(
        'postgres_subscription',
        pair.present({ connection: { host: 'x', user: 'y', database: 'z', password: 'p' } }),
      ),
    ).toThrow("unknown key 'password'")
  })
})

describe('changing it', () => {
  beforeEach(async () => {
    await converge(pair.follower.host, 'postgres_subscription', pair.present())
    await pair.ready()
  })

  test('B4: another connection is an ALTER, and no change comes twice or is lost', async () => {
    await kineWrites(pair.leader.server, '/registry/a', '1')
    const connection = {
      ...(pair.present()['connection'] as JsonObject),
      application_name: 'h2_new',
    }
    const changed = await converge(
      pair.follower.host,
      'postgres_subscription',
      pair.present({ connection }),
    )
    expect(changed).toEqual([expect.stringContaining('alter subscription "twonode" connection')])
    await pair.arrives(await kineWrites(pair.leader.server, '/registry/b', '2'))
    await until(
      pair.leader.server,
      'kine',
      "select exists (select from pg_stat_replication where application_name = 'h2_new')",
    )
    expect(
      await converge(pair.follower.host, 'postgres_subscription', pair.present({ connection })),
    ).toEqual([])
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
    await pair.follower.server.sql('kine', drift)
    expect(await converge(pair.follower.host, 'postgres_subscription', pair.present())).toEqual([
      expect.stringContaining(words),
    ])
    await pair.arrives(await kineWrites(pair.leader.server, '/registry/after', 'x'))
  })

  test('A6: disabled means that no worker is alive, and where its history ended is told', async () => {
    // What has not arrived by then has no place in its history.
    await pair.arrives(await kineWrites(pair.leader.server, '/registry/a', '1'))
    await converge(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false }))
    expect(await pair.workers()).toBe(0)
    expect(
      await result(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false })),
    ).toMatchObject({
      enabled: false,
      workers: 0,
      origin_lsn: expect.stringMatching(/\//),
    })
    expect(
      await converge(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false })),
    ).toEqual([])
  })

  test('A6: a promotion disables what is there, keeps it with its origin, and asks for nothing else', async () => {
    await converge(pair.follower.host, 'postgres_subscription', pair.present())
    await pair.ready()
    await pair.arrives(await kineWrites(pair.leader.server, '/a', 'x'))
    const disabled = { name: 'twonode', database: 'kine', state: 'disabled' }
    await converge(pair.follower.host, 'postgres_subscription', disabled)
    expect(await pair.workers()).toBe(0)
    expect(await result(pair.follower.host, 'postgres_subscription', disabled)).toMatchObject({
      slot: 'h2_1_1',
      origin_lsn: expect.stringContaining('/'),
    })
    expect(await converge(pair.follower.host, 'postgres_subscription', disabled)).toEqual([])
    await converge(pair.follower.host, 'postgres_subscription', ABSENT)
    expect(await converge(pair.follower.host, 'postgres_subscription', disabled)).toEqual([])
  })

  test('A6: a worker that outlives DISABLE is ended', async () => {
    const [{ pid } = { pid: 0 }] = await pair.follower.server.sql<{ pid: number }>(
      'kine',
      "select pid from pg_stat_subscription where subname = 'twonode'",
    )
    process.kill(pid, 'SIGSTOP')
    try {
      await pair.follower.server.sql('kine', 'alter subscription twonode disable')
      const changes = await plan(
        pair.follower.host,
        step('postgres_subscription', pair.present({ enabled: false })),
      )
      expect(changes.map(({ kind }) => kind)).toEqual(['sql', 'await'])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await converge(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false }))
    expect(await pair.workers()).toBe(0)
  })

  test('B3: another slot is another history: it is made anew, without a copy if none is asked for', async () => {
    await converge(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false }))
    await converge(pair.leader.host, 'replication_slot', {
      name: 'h2_1_2',
      database: 'kine',
      publication: 'twonode',
    })
    const rejoin = pair.present({ slot: 'h2_1_2', copy_data: false })
    expect(await converge(pair.follower.host, 'postgres_subscription', rejoin)).toEqual([
      expect.stringContaining('set (slot_name = none)'),
      expect.stringContaining('drop subscription "twonode"'),
      expect.stringContaining('create subscription "twonode"'),
    ])
    await pair.arrives(await kineWrites(pair.leader.server, '/registry/after', 'x'))
  })

  test('A2: one that followed its table into another schema is refused', async () => {
    await pair.follower.server.sql('kine', 'create schema old; alter table kine set schema old')
    try {
      await expect(
        plan(pair.follower.host, step('postgres_subscription', pair.present())),
      ).rejects.toThrow('refused: subscription twonode writes to old.kine')
    } finally {
      await pair.follower.server.sql(
        'kine',
        'alter table old.kine set schema public; drop schema old',
      )
    }
  })

  test('A2: one that has not learnt of its table asks its publisher again', async () => {
    await pair.leader.server.sql('kine', 'alter publication twonode drop table kine')
    await pair.follower.server.sql('kine', 'alter subscription twonode refresh publication')
    await pair.leader.server.sql('kine', 'alter publication twonode add table kine')
    expect(await result(pair.follower.host, 'postgres_subscription', pair.present())).toMatchObject(
      {
        tables: {},
      },
    )
    expect(await converge(pair.follower.host, 'postgres_subscription', pair.present())).toEqual([
      expect.stringContaining('refresh publication'),
    ])
    await pair.ready()
  })
})
