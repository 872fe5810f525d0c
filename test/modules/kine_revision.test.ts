import { Client } from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { applyAll, converge, kineWrites, plan, result, step } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { JUMP, kineRevision } from '../../modules/kine_revision.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = kineBench()
beforeEach(async () => {
  await converge(bench.host, 'kine_fence', { database: 'kine', state: 'off' })
  await bench.server.sql('kine', 'truncate kine restart identity')
})

moduleCases(kineRevision)

const first = { database: 'kine', branch: 1, term: 1 }
const promotion = {
  database: 'kine',
  branch: 3,
  term: 3,
  fork_lsn: '0/1A2B3C8',
  fork_slot: 'h2_1_1',
}

interface Row {
  readonly id: number
  readonly name: string
  readonly created: number
  readonly deleted: number
  readonly prev_revision: number
  readonly value: string | null
  readonly old_value: string | null
}

const rows = async () =>
  await bench.server.sql<Row>(
    'kine',
    `select id::int, name, created, deleted, prev_revision::int, convert_from(value, 'utf8') as value,
       convert_from(old_value, 'utf8') as old_value from kine order by id`,
  )

const sequence = async () => {
  const [row] = await bench.server.sql<{ next: number }>(
    'kine',
    'select (case when is_called then last_value + 1 else last_value end)::int as next from kine_id_seq',
  )
  return row?.next
}

/** A table as kine leaves it: its compaction key, a few keys, one compaction done at 4. */
async function kineLived(): Promise<void> {
  await kineWrites(bench.server, 'compact_rev_key', '')
  for (const key of ['/registry/a', '/registry/b', '/registry/a'])
    await kineWrites(bench.server, key, `${key}!`)
  await bench.server.sql('kine', "update kine set prev_revision = 2 where name = 'compact_rev_key'")
}

test('A1: the first branch has its marker too, an ordinary row, and a second run is empty', async () => {
  const predicted = await plan(bench.host, step('kine_revision', first))
  expect(predicted).toHaveLength(1)
  await applyAll(bench.host, predicted)
  expect(await converge(bench.host, 'kine_revision', first)).toEqual([])
  const [marker] = await rows()
  expect(marker).toMatchObject({
    id: 1,
    name: 'twonode/branch/1',
    created: 1,
    deleted: 0,
    prev_revision: 0,
  })
  expect(JSON.parse(marker?.value ?? '')).toEqual({
    branch: 1,
    term: 1,
    forkPoint: null,
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  })
  expect(await sequence()).toBe(2)
  expect(await kineWrites(bench.server, '/registry/a', 'x')).toBe(2)
})

test('finding 1: a promotion jumps, compacts up to the marker and moves the sequence, in one transaction', async () => {
  await kineLived()
  // What a subscriber has: rows came by replication, its own sequence never moved.
  await bench.server.sql('kine', "select setval('kine_id_seq', 1, false)")
  await converge(bench.host, 'kine_revision', promotion)
  const marker = 4 + JUMP
  expect(await rows()).toEqual([
    expect.objectContaining({ id: 1, name: 'compact_rev_key', prev_revision: marker }),
    expect.objectContaining({ id: 2 }),
    expect.objectContaining({ id: 3 }),
    expect.objectContaining({ id: 4 }),
    expect.objectContaining({ id: marker, name: 'twonode/branch/3', created: 1, deleted: 0 }),
  ])
  expect(await sequence()).toBe(marker + 1)
})

test('A1: the marker records the fork point, as it was before the marker', async () => {
  await kineLived()
  await converge(bench.host, 'kine_revision', promotion)
  expect(await result(bench.host, 'kine_revision', promotion)).toMatchObject({
    exists: true,
    marker_id: 4 + JUMP,
    marker: {
      branch: 3,
      term: 3,
      forkPoint: {
        from: 0,
        slot: 'h2_1_1',
        lsn: '0/1A2B3C8',
        count: 4,
        sum: '10',
        max: 4,
        compactRevision: 2,
      },
    },
    max_id: 4 + JUMP,
    last_given_id: 4 + JUMP,
    compact_revision: 4 + JUMP,
  })
})

test('A7: a hand-over has an ordinary row, and leaves the compact revision where it was', async () => {
  await kineLived()
  await bench.server.sql('kine', "select setval('kine_id_seq', 1, false)")
  await converge(bench.host, 'kine_revision', { ...promotion, branch: 4, began: 'handover' })
  expect(await result(bench.host, 'kine_revision', { ...promotion, branch: 4 })).toMatchObject({
    marker_id: 5,
    compact_revision: 2,
    last_given_id: 5,
  })
})

test('C4: tombstones stand behind the marker, name the live row and keep its value', async () => {
  await kineLived()
  await kineWrites(bench.server, '/registry/leases/gone', 'x')
  await bench.server.sql(
    'kine',
    `insert into kine (name, created, deleted, create_revision, prev_revision, lease, old_value)
     select name, 0, 1, 0, id, 0, value from kine where name = '/registry/leases/gone'`,
  )
  const tombstones = ['/registry/b', '/registry/a', '/registry/leases/gone', '/registry/never']
  await converge(bench.host, 'kine_revision', { ...promotion, tombstones })
  const marker = 6 + JUMP
  expect((await rows()).slice(-2)).toEqual([
    {
      id: marker + 1,
      name: '/registry/a',
      created: 0,
      deleted: 1,
      prev_revision: 4,
      value: null,
      old_value: '/registry/a!',
    },
    {
      id: marker + 2,
      name: '/registry/b',
      created: 0,
      deleted: 1,
      prev_revision: 3,
      value: null,
      old_value: '/registry/b!',
    },
  ])
  expect(await sequence()).toBe(marker + 3)
  expect(await converge(bench.host, 'kine_revision', { ...promotion, tombstones })).toEqual([])
})

test("A1: the fork names the branch that the table was of, and is told in hostMeta's words", async () => {
  await converge(bench.host, 'kine_revision', first)
  await kineLived()
  await converge(bench.host, 'kine_revision', promotion)
  expect(await result(bench.host, 'kine_revision', promotion)).toMatchObject({
    fork: {
      from: 1,
      slot: 'h2_1_1',
      lsn: '0/1A2B3C8',
      count: 5,
      sum: '15',
      max: 5,
      compactRevision: 2,
    },
  })
})

test('it passes the fence, which stays up', async () => {
  await kineLived()
  await converge(bench.host, 'kine_fence', { database: 'kine', state: 'on' })
  await converge(bench.host, 'kine_revision', promotion)
  await expect(kineWrites(bench.server, '/registry/a', 'x')).rejects.toMatchObject({
    code: '25006',
  })
})

test('A6: a writer that is still alive fails it, and nothing is half done', async () => {
  await kineLived()
  const { socketDirectory: host, port } = bench.server
  const writer = new Client({ host, port, database: 'kine', user: 'postgres' })
  await writer.connect()
  await writer.query("begin; insert into kine (name) values ('hidden')")
  const before = await rows()
  await expect(
    converge(bench.host, 'kine_revision', { ...promotion, timeout: '300ms' }),
  ).rejects.toThrow('lock timeout')
  expect(await rows()).toEqual(before)
  await writer.query('rollback')
  await writer.end()
})

test('two compaction keys, a fault that kine once had, become the one that is further on', async () => {
  await kineLived()
  await bench.server.sql(
    'kine',
    "insert into kine (name, created, deleted, create_revision, prev_revision, lease) values ('compact_rev_key', 0, 0, 0, 3, 0)",
  )
  await converge(bench.host, 'kine_revision', promotion)
  const keys = (await rows()).filter(({ name }) => name === 'compact_rev_key')
  expect(keys).toEqual([expect.objectContaining({ id: 5, prev_revision: 5 + JUMP })])
})

test('a sequence behind the table is put right, and one ahead of it is left alone', async () => {
  await converge(bench.host, 'kine_revision', first)
  await kineLived()
  await bench.server.sql('kine', "select setval('kine_id_seq', 2, true)")
  expect(await converge(bench.host, 'kine_revision', first)).toHaveLength(1)
  expect(await sequence()).toBe(6)
  await bench.server.sql('kine', "select setval('kine_id_seq', 900, true)")
  expect(await converge(bench.host, 'kine_revision', first)).toEqual([])
  expect(await sequence()).toBe(901)
})

test('the marker of a branch that is history is refused', async () => {
  await converge(bench.host, 'kine_revision', first)
  await converge(bench.host, 'kine_revision', promotion)
  await expect(plan(bench.host, step('kine_revision', first))).rejects.toThrow(
    'of branch 3 already',
  )
})

test('a fork position of another form is refused before anything is asked', () => {
  expect(() => step('kine_revision', { ...promotion, fork_lsn: 'zero' })).toThrow(
    'a position such as',
  )
})
