import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeEach, expect, test } from 'vitest'
import { applyAll, converge, plan, step } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { kineSchema } from '../../modules/kine_schema.ts'
import { moduleCases } from '../support/module_cases.ts'

const run = promisify(execFile)

const bench = kineBench()
beforeEach(async () => {
  await bench.server.sql('kine', 'drop table if exists public.kine')
  await converge(bench.host, 'kine_schema', schema)
})

const schema = { database: 'kine', owner: 'kine' }

moduleCases(kineSchema)

/** Word for word. Source: kine v0.16.4, pkg/drivers/pgsql/pgsql.go. */
const KINE_SAYS = [
  `CREATE TABLE IF NOT EXISTS kine
 			(
				id BIGSERIAL PRIMARY KEY,
				name text COLLATE "C",
				created INTEGER,
				deleted INTEGER,
				create_revision BIGINT,
				prev_revision BIGINT,
 				lease INTEGER,
 				value bytea,
 				old_value bytea
 			);`,
  'CREATE INDEX IF NOT EXISTS kine_name_index ON kine (name)',
  'CREATE INDEX IF NOT EXISTS kine_name_id_index ON kine (name,id)',
  'CREATE INDEX IF NOT EXISTS kine_id_deleted_index ON kine (id,deleted)',
  'CREATE INDEX IF NOT EXISTS kine_prev_revision_index ON kine (prev_revision)',
  'CREATE UNIQUE INDEX IF NOT EXISTS kine_name_prev_revision_uindex ON kine (name, prev_revision)',
  'CREATE INDEX IF NOT EXISTS kine_list_query_index on kine(name, id DESC, deleted)',
]

async function dump(database: string): Promise<string> {
  const { socketDirectory, port } = bench.server
  const at = ['-h', socketDirectory, '-p', String(port), '-U', 'postgres']
  const { stdout } = await run('/usr/lib/postgresql/15/bin/pg_dump', [
    ...at,
    '-s',
    '-t',
    'kine',
    database,
  ])
  // The words that psql is protected with are random.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '')
}

test('the table is the one that kine makes, to the last byte of its dump', async () => {
  await bench.server.sql('postgres', 'create database by_kine owner kine')
  await bench.server.sql('by_kine', ['set role kine', ...KINE_SAYS].join('; '))
  expect(await dump('kine')).toEqual(await dump('by_kine'))
  // And the other way: the module finds nothing to do on kine's own.
  expect(await plan(bench.host, step('kine_schema', { database: 'by_kine' }))).toEqual([])
})

test('it is made as a whole, and a second run is empty', async () => {
  await bench.server.sql('kine', 'drop table public.kine')
  const predicted = await plan(bench.host, step('kine_schema', schema))
  expect(predicted.map(({ kind }) => kind)).toEqual(['sqlTransaction'])
  await applyAll(bench.host, predicted)
  expect(await converge(bench.host, 'kine_schema', schema)).toEqual([])
})

test('kine may start on it: its own statements succeed as its role', async () => {
  const before = await dump('kine')
  await bench.server.sql('kine', ['set role kine', ...KINE_SAYS].join('; '))
  expect(await dump('kine')).toBe(before)
})

test.each([
  ['missing', 'drop index kine_list_query_index'],
  ['on other columns', 'drop index kine_name_index; create index kine_name_index on kine (lease)'],
  [
    'not unique',
    'drop index kine_name_prev_revision_uindex; create index kine_name_prev_revision_uindex on kine (name, prev_revision)',
  ],
])('an index that is %s is made anew', async (_, drift) => {
  const before = await dump('kine')
  await bench.server.sql('kine', drift)
  expect(await converge(bench.host, 'kine_schema', schema)).toHaveLength(1)
  expect(await dump('kine')).toBe(before)
})

test('another owner is put right, of the sequence too', async () => {
  const before = await dump('kine')
  await bench.server.sql('kine', 'alter table kine owner to postgres')
  await converge(bench.host, 'kine_schema', schema)
  expect(await dump('kine')).toBe(before)
})

test('an owner who may not create in the schema is given the right: kine asks for it when it starts', async () => {
  await bench.server.sql('postgres', 'create database foreign_owner')
  expect(await converge(bench.host, 'kine_schema', { database: 'foreign_owner' })).toEqual([
    expect.stringContaining(
      'grant usage, create on schema public to "kine"; set local role "kine"; create table',
    ),
  ])
  await bench.server.sql('foreign_owner', ['set role kine', ...KINE_SAYS].join('; '))
})

test.each([
  ['a 32-bit id', 'alter table kine alter column id type int', 'no column "id bigint not null"'],
  [
    'another collation',
    'alter table kine alter column name type text collate "POSIX"',
    'no column "name text collate C"',
  ],
  [
    'a further column',
    'alter table kine add column more text',
    'a column "more text" that kine does not have',
  ],
  ['a missing column', 'alter table kine drop column old_value', 'no column "old_value bytea"'],
  [
    'no sequence',
    'drop sequence kine_id_seq cascade',
    'id takes its values from no sequence of its own',
  ],
  ['no primary key', 'alter table kine drop constraint kine_pkey', 'no primary key kine_pkey'],
])('%s is refused in words', async (_, drift, words) => {
  await bench.server.sql('kine', drift)
  await expect(plan(bench.host, step('kine_schema', schema))).rejects.toThrow(words)
})

test('a role or database that an earlier task will make is not there yet', async () => {
  await expect(
    plan(bench.host, step('kine_schema', { database: 'kine', owner: 'later' })),
  ).rejects.toMatchObject({ name: 'NotYet' })
  await expect(plan(bench.host, step('kine_schema', { database: 'later' }))).rejects.toMatchObject({
    name: 'NotYet',
  })
})
