import { describe, expect, test } from 'vitest'
import { converge, plan, step } from '../support/postgres_bench.ts'
import { sharedBench } from '../support/bench_of_file.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { postgresDatabase } from '../../modules/postgres_database.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = sharedBench(async ({ host }) => {
  await converge(host, 'postgres_role', { name: 'kine' })
})

moduleCases(postgresDatabase)

describe('laws', () => {
  postgresLaws('postgres_database', () => bench, [
    {
      title: 'a database',
      args: { name: 'app', owner: 'kine' },
      opposite: { name: 'app', state: 'absent' },
    },
    {
      title: 'in use when it goes',
      args: { name: 'odd "name"' },
      opposite: { name: 'odd "name"', state: 'absent', force: true },
    },
  ])
})

test('it is made with the collation of bytes, whatever the cluster has', async () => {
  await converge(bench.host, 'postgres_database', { name: 'kine', owner: 'kine' })
  const rows = await bench.server.sql(
    'postgres',
    `select datcollate, datctype, pg_encoding_to_char(encoding) as encoding,
       pg_get_userbyid(datdba) as owner from pg_database where datname = 'kine'`,
  )
  expect(rows).toEqual([{ datcollate: 'C', datctype: 'C', encoding: 'UTF8', owner: 'kine' }])
})

test('another owner is changed, another encoding or collation is refused', async () => {
  await bench.server.sql('postgres', "create database latin encoding 'LATIN1' template template0")
  await expect(plan(bench.host, step('postgres_database', { name: 'latin' }))).rejects.toThrow(
    'refused: database latin has encoding LATIN1',
  )
  await bench.server.sql('postgres', 'create database other')
  expect(await converge(bench.host, 'postgres_database', { name: 'other', owner: 'kine' })).toEqual(
    ['sql in postgres: alter database "other" owner to "kine"'],
  )
})

test('an owner that an earlier task will make is not there yet', async () => {
  await expect(
    plan(bench.host, step('postgres_database', { name: 'x', owner: 'nobody_yet' })),
  ).rejects.toMatchObject({ name: 'NotYet', message: 'there is no role nobody_yet' })
})
