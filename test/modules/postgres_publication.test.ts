import { describe, expect, test } from 'vitest'
import { converge, plan, result, step } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { postgresPublication } from '../../modules/postgres_publication.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = kineBench()

const twonode = { name: 'twonode', database: 'kine', tables: ['public.kine'] }

moduleCases(postgresPublication)

describe('laws', () => {
  postgresLaws('postgres_publication', () => bench, [
    {
      title: "kine's table",
      args: { ...twonode, name: 'odd "name"' },
      opposite: { name: 'odd "name"', database: 'kine', state: 'absent' },
    },
  ])
})

test('A2: after a swap of tables it names the new one again', async () => {
  await converge(bench.host, 'postgres_publication', twonode)
  await bench.server.sql(
    'kine',
    `create schema old; alter table kine set schema old; create table public.kine (id bigint primary key)`,
  )
  expect(await result(bench.host, 'postgres_publication', twonode)).toEqual({
    exists: true,
    tables: ['old.kine'],
  })
  expect(await converge(bench.host, 'postgres_publication', twonode)).toEqual([
    'sql transaction in kine: alter publication "twonode" set table "public"."kine"',
  ])
  await bench.server.sql('kine', 'drop table public.kine; alter table old.kine set schema public')
  await converge(bench.host, 'postgres_publication', twonode)
})

test.each([
  [
    'a further table',
    'create table more (id int primary key); alter publication twonode add table more',
  ],
  ['a row filter', 'alter publication twonode set table kine where (id > 5)'],
  ['a column list', 'alter publication twonode set table kine (id, name)'],
  ['a whole schema', 'alter publication twonode add tables in schema public'],
  ['fewer operations', "alter publication twonode set (publish = 'insert')"],
  ['nothing', 'alter publication twonode drop table kine'],
])('%s is put right', async (_, drift) => {
  await converge(bench.host, 'postgres_publication', twonode)
  await bench.server.sql('kine', drift)
  expect(await converge(bench.host, 'postgres_publication', twonode)).toHaveLength(1)
  expect(
    await bench.server.sql(
      'kine',
      "select tablename, rowfilter from pg_publication_tables where pubname = 'twonode'",
    ),
  ).toEqual([{ tablename: 'kine', rowfilter: null }])
})

test('one for all tables is refused: it can not be changed to a list', async () => {
  await bench.server.sql('kine', 'create publication everything for all tables')
  await expect(
    plan(bench.host, step('postgres_publication', { ...twonode, name: 'everything' })),
  ).rejects.toThrow('refused: publication everything is for all tables')
})

test('finding 3: it does not go while its database has a slot', async () => {
  await converge(bench.host, 'postgres_publication', twonode)
  await bench.server.sql('kine', "select pg_create_logical_replication_slot('h2_1_1', 'pgoutput')")
  const absent = { name: 'twonode', database: 'kine', state: 'absent' }
  await expect(plan(bench.host, step('postgres_publication', absent))).rejects.toThrow('h2_1_1')
  await bench.server.sql('kine', "select pg_drop_replication_slot('h2_1_1')")
  await converge(bench.host, 'postgres_publication', absent)
})

test('a table that an earlier task will make is not there yet', async () => {
  const args = { ...twonode, tables: ['public.later'] }
  await expect(plan(bench.host, step('postgres_publication', args))).rejects.toMatchObject({
    name: 'NotYet',
    message: 'database kine has no table public.later',
  })
  await expect(
    plan(bench.host, step('postgres_publication', { ...twonode, database: 'later' })),
  ).rejects.toMatchObject({ name: 'NotYet' })
})

const insert = (id: number) =>
  `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease)
   values (${id}, 'key ${id}', 1, 0, 0, 0, 0)`

/** Rows that a slot of before shows, when one was written before the publication was mended, and one after. */
async function decodedAfter(change: string): Promise<unknown[]> {
  const { host, server } = bench
  const slot = { name: 'h2_7_1', database: 'kine', publication: 'twonode' }
  await converge(host, 'postgres_publication', twonode)
  await converge(host, 'replication_slot', slot)
  try {
    await server.sql('kine', change)
    await server.sql('kine', insert(1000))
    await converge(host, 'postgres_publication', twonode)
    await server.sql('kine', insert(1001))
    return await server.sql(
      'kine',
      `select from pg_logical_slot_peek_binary_changes('h2_7_1', null, null, 'proto_version', '1',
         'publication_names', 'twonode') where get_byte(data, 0) = ascii('I')`,
    )
  } finally {
    await converge(host, 'replication_slot', { ...slot, state: 'absent' })
    await server.sql('kine', 'truncate kine')
  }
}

describe('A2: a slot of before that its publication did not publish in between', () => {
  test('fails for ever, when it was gone', async () => {
    await expect(decodedAfter('drop publication twonode')).rejects.toThrow('does not exist')
  })

  test('skips what was written meanwhile, and says nothing, when it named another table', async () => {
    expect(await decodedAfter('alter publication twonode drop table kine')).toHaveLength(1)
  })
})
