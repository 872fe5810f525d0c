import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { ABSENT, type Pair, startPair } from '../support/replicating_pair.ts'
import {
  type Bench,
  converge,
  kineWrites,
  notes,
  plan,
  result,
  step,
  until,
} from '../support/postgres_bench.ts'
import { kineHistory } from '../../modules/kine_history.ts'
import { kineTableSwap } from '../../modules/kine_table_swap.ts'
import { moduleCases } from '../support/module_cases.ts'

// h1 leads branch 1, h2 follows; then h1 is gone for a while and h2 is promoted to branch 2.
let pair: Pair
let h1: Bench
let h2: Bench
beforeAll(async () => {
  // Its publication is read by the old leader's own slot; h2's is there for h1's return.
  pair = await startPair()
  h1 = pair.leader
  h2 = pair.follower
})
afterAll(async () => {
  await pair.close()
})

moduleCases(kineHistory)
moduleCases(kineTableSwap)

const database = 'kine'
const first = { database, branch: 1, term: 1 }

/** A pair of branch 1, with some rows on both hosts. */
beforeEach(async () => {
  for (const { host, server } of [h1, h2]) {
    await converge(host, 'postgres_subscription', ABSENT)
    await server.sql(
      'kine',
      'set session_replication_role = replica; truncate kine restart identity',
    )
    // Another pair's names.
    await server.sql('kine', 'drop table if exists twonode.slot')
    await converge(host, 'replication_slots', { database, keep: [] })
  }
  await converge(h1.host, 'kine_fence', { database, state: 'off' })
  await converge(h2.host, 'kine_fence', { database, state: 'on' })
  await converge(h1.host, 'kine_revision', first)
  await converge(h1.host, 'replication_slot', { name: 'h2_1_1', database, publication: 'twonode' })
  await kineWrites(h1.server, 'compact_rev_key', '')
  await converge(h2.host, 'postgres_subscription', pair.present())
  await pair.ready()
  for (const key of ['/a', '/b']) await pair.arrives(await kineWrites(h1.server, key, key))
})

/** h2 leads: the fork point, as hostMeta will have it. */
async function promoteH2(): Promise<JsonObject> {
  const disabled = { name: 'twonode', database, state: 'disabled' }
  await converge(h2.host, 'postgres_subscription', disabled)
  const followed = await result(h2.host, 'postgres_subscription', disabled)
  expect(followed).toMatchObject({ slot: 'h2_1_1', origin_lsn: expect.stringMatching('/') })
  const slot = { name: 'h1_2_1', database, publication: 'twonode', once: true, required: false }
  await converge(h2.host, 'replication_slot', slot)
  const marker = {
    database,
    branch: 2,
    term: 2,
    fork_lsn: followed['origin_lsn'] ?? null,
    fork_slot: followed['slot'] ?? null,
  }
  await converge(h2.host, 'kine_revision', marker)
  await converge(h2.host, 'kine_fence', { database, state: 'off' })
  await converge(h2.host, 'postgres_subscription', ABSENT)
  return (await result(h2.host, 'kine_revision', marker))['fork'] as JsonObject
}

const compared = async (fork: JsonObject | null, slot = 'h1_2_1') =>
  await result(h1.host, 'kine_history', { database, slot, fork })

/** h1 follows h2, as role.yaml's tasks make it. */
async function join(history: JsonObject): Promise<void> {
  await converge(h1.host, 'kine_fence', { database, state: 'on' })
  if (history['swap'] === true) await converge(h1.host, 'kine_table_swap', { database })
  await converge(h1.host, 'postgres_subscription', presentOnH1(history['copy'] === true))
  await until(h1.server, 'kine', "select bool_and(srsubstate = 'r') from pg_subscription_rel")
  await converge(h1.host, 'replication_slots', { database, keep: [] })
}

function presentOnH1(copy_data: boolean): JsonObject {
  const { connection, ...rest } = pair.present()
  const toH2 = { ...(connection as JsonObject), port: h2.server.port, application_name: 'h1' }
  return { ...rest, connection: toH2, slot: 'h1_2_1', copy_data }
}

async function sameContent(): Promise<void> {
  const id = await kineWrites(h2.server, '/last', String(Date.now()))
  await until(h1.server, 'kine', `select exists (select from kine where id = ${id})`)
  expect(await result(h1.host, 'kine_digest', { database })).toEqual(
    await result(h2.host, 'kine_digest', { database }),
  )
}

const keptSchemas = async () =>
  await h1.server.sql<{ name: string }>(
    'kine',
    "select nspname as name from pg_namespace where nspname like 'twonode\\_branch\\_%' order by oid",
  )

describe('A1: an old leader that comes back', () => {
  test('with nothing of its own joins without a copy, and its slot is kept until then', async () => {
    const fork = await promoteH2()
    expect(fork).toMatchObject({ from: 1, slot: 'h2_1_1', count: 4, max: 4 })
    await kineWrites(h2.server, '/c', 'by the new leader')
    const history = await compared(fork)
    expect(history).toEqual({ joined: false, copy: false, swap: false, why: 'same' })
    await join(history)
    expect(await compared(fork)).toMatchObject({ joined: true, copy: false, swap: false })
    await sameContent()
    expect(await result(h1.host, 'replication_slots', { database, keep: [] })).toEqual({
      slots: [],
      copies: [],
    })
  })

  test('that subscribed while nothing was published copies, and does not count as joined (A2)', async () => {
    const fork = await promoteH2()
    await converge(h1.host, 'kine_fence', { database, state: 'on' })
    await h2.server.sql('kine', 'alter publication twonode drop table kine')
    await expect(converge(h1.host, 'postgres_subscription', presentOnH1(false))).rejects.toThrow(
      'refresh publication',
    )
    await h2.server.sql('kine', 'alter publication twonode add table kine')
    await kineWrites(h2.server, '/c', 'by the new leader')
    const history = await compared(fork)
    expect(history).toMatchObject({ joined: false, copy: true, swap: true })
    await join(history)
    await sameContent()
  })

  test('with a commit that only it has copies, though the highest id is the same', async () => {
    // Commit order is not id order: the higher id came over, the lower one did not.
    const [row] = await h1.server.sql<{ id: string }>('kine', "select nextval('kine_id_seq') as id")
    const late = Number(row?.id)
    await pair.arrives(await kineWrites(h1.server, '/early', 'x'))
    await h2.server.sql('kine', 'alter subscription twonode disable')
    await until(
      h2.server,
      'kine',
      'select count(*) = 0 from pg_stat_subscription where pid is not null',
    )
    await h1.server.sql(
      'kine',
      `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease, value)
       values (${late}, '/late', 1, 0, 0, 0, 0, 'mine')`,
    )
    const fork = await promoteH2()
    expect(fork['max']).toBe(late + 1)
    const history = await compared(fork)
    expect(history).toMatchObject({ copy: true, swap: true })
    expect(history['why']).toMatch(/^1 transactions were committed here beyond/)
    const before = await keptSchemas()
    await join(history)
    await sameContent()
    const kept = (await keptSchemas()).map(({ name }) => name).slice(before.length)
    expect(kept).toEqual([expect.stringMatching(/^twonode_branch_1_\d+$/)])
    const rows = await h1.server.sql('kine', `select from ${kept[0]}.kine where name = '/late'`)
    expect(rows).toHaveLength(1)
  })

  test('with changes of the same numbers copies too: the slot tells, not the numbers', async () => {
    await h2.server.sql('kine', 'alter subscription twonode disable')
    await until(
      h2.server,
      'kine',
      'select count(*) = 0 from pg_stat_subscription where pid is not null',
    )
    await h1.server.sql('kine', "update kine set value = 'other' where name = '/a'")
    const fork = await promoteH2()
    expect((await compared(fork))['why']).toMatch(/committed here beyond/)
  })

  test.each([
    ['its slot is gone', 'is gone', async () => await dropOwnSlot()],
    ['its table has lost a row', 'has 3 rows', async () => await loseRow()],
    ['its table is of another branch', 'is of branch 0', async () => await loseMarker()],
  ])('copies when %s', async (_, words, act) => {
    const fork = await promoteH2()
    await act()
    const history = await compared(fork)
    expect(history).toMatchObject({ copy: true, swap: true })
    expect(history['why']).toContain(words)
  })

  test('B3: by a slot that was made later than the branch it copies', async () => {
    const fork = await promoteH2()
    const history = await compared(fork, 'h1_2_2')
    expect(history).toMatchObject({ copy: true, swap: true })
    expect(history['why']).toContain('made later than the branch')
  })

  test('a position that its WAL does not reach is another history', async () => {
    const fork = await promoteH2()
    expect((await compared({ ...fork, lsn: 'FF/0' }))['why']).toContain('does not reach')
    expect((await compared({ ...fork, lsn: null }))['why']).toContain('nothing was streamed')
  })

  test('an empty table is copied into as it is', async () => {
    const fork = await promoteH2()
    await h1.server.sql('kine', 'truncate kine')
    expect(await compared(fork)).toMatchObject({ copy: true, swap: false, why: 'empty' })
  })
})

// What is lost is lost past its own slot: the comparison of the numbers must see it.
const behindTheSlot = async (text: string) => {
  await h1.server.sql('kine', 'alter publication twonode drop table kine')
  await h1.server.sql('kine', text)
  await h1.server.sql('kine', 'alter publication twonode add table kine')
}
const dropOwnSlot = async () =>
  await h1.server.sql('kine', "select pg_drop_replication_slot('h2_1_1')")
const loseRow = async () => await behindTheSlot("delete from kine where name = '/b'")
const loseMarker = async () => await behindTheSlot("delete from kine where name like 'twonode/%'")

test('B4: a join that was cut goes on by the same subscription', async () => {
  const fork = await promoteH2()
  await dropOwnSlot()
  const history = await compared(fork)
  await converge(h1.host, 'kine_fence', { database, state: 'on' })
  // Cut after the swap: the fresh table is copied into.
  await converge(h1.host, 'kine_table_swap', { database })
  expect(await converge(h1.host, 'kine_table_swap', { database })).toEqual([])
  const again = await compared(fork)
  expect(again).toMatchObject({ joined: false, copy: true, swap: false })
  // Cut after the subscription was made: nothing is made anew.
  await converge(h1.host, 'postgres_subscription', presentOnH1(true))
  expect(await compared(fork)).toMatchObject({ joined: true, copy: false, swap: false })
  await join(await compared(fork))
  expect(history['swap']).toBe(true)
  await sameContent()
})

test('A2: after a swap publication, fence and sequence are those of the fresh table', async () => {
  await promoteH2()
  await converge(h1.host, 'kine_fence', { database, state: 'on' })
  await converge(h1.host, 'kine_table_swap', { database })
  const { kept } = await result(h1.host, 'kine_table_swap', { database })
  expect(kept).toMatch(/^twonode_branch_1_\d+$/)
  const published = await h1.server.sql(
    'kine',
    'select schemaname, tablename from pg_publication_tables',
  )
  expect(published).toEqual([{ schemaname: 'public', tablename: 'kine' }])
  await expect(kineWrites(h1.server, '/x', 'y')).rejects.toMatchObject({ code: '25006' })
  expect(await plan(h1.host, step('kine_schema', { database }))).toEqual([])
  const [sequence] = await h1.server.sql(
    'kine',
    "select pg_get_serial_sequence('public.kine', 'id') as name",
  )
  expect(sequence).toEqual({ name: 'public.kine_id_seq' })
})

test('A2: a follower whose slot was lost gives its subscription up before its table is moved', async () => {
  await promoteH2()
  await join({ copy: true, swap: true })
  await converge(h2.host, 'replication_slots', { database, keep: [] })
  const slot = { name: 'h1_2_2', database, publication: 'twonode', once: true }
  await converge(h2.host, 'replication_slot', slot)
  const history = await compared(null, 'h1_2_2')
  expect(history).toMatchObject({ joined: false, copy: true, swap: true })
  expect(
    await notes(h1.host, 'kine_history', { database, slot: 'h1_2_2', fork: null }),
  ).toHaveLength(1)
  await converge(h1.host, 'kine_table_swap', { database })
  await converge(h1.host, 'postgres_subscription', { ...presentOnH1(true), slot: 'h1_2_2' })
  await until(h1.server, 'kine', "select bool_and(srsubstate = 'r') from pg_subscription_rel")
  await sameContent()
})
