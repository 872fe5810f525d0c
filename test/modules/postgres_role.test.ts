import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { Secret } from '../../src/core/secret.ts'
import { converge, plan, step } from '../support/postgres_bench.ts'
import { sharedBench } from '../support/bench_of_file.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { postgresRole } from '../../modules/postgres_role.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = sharedBench()

const withPassword = {
  name: 'app',
  password: new Secret("it's a \\secret", 'env:APP'),
} as unknown as JsonObject

moduleCases(postgresRole)

describe('laws', () => {
  postgresLaws('postgres_role', () => bench, [
    {
      title: 'a role with rights',
      args: { name: 'rep', replication: true, member_of: ['pg_read_all_data'] },
      opposite: { name: 'rep', state: 'absent' },
    },
    {
      title: 'a name that needs quoting',
      args: { name: `o'br"ien; drop`, login: false },
      opposite: { name: `o'br"ien; drop`, state: 'absent' },
    },
    { title: 'a password', args: withPassword, opposite: { name: 'app', state: 'absent' } },
  ])
})

test('attributes that are not asked for are taken away', async () => {
  await bench.server.sql('postgres', 'create role wild superuser createdb login')
  expect(await converge(bench.host, 'postgres_role', { name: 'wild' })).toEqual([
    'sql in postgres: alter role "wild" nosuperuser nocreatedb',
  ])
})

test('memberships are exact when given, and left alone when not', async () => {
  await bench.server.sql('postgres', 'create role member login in role pg_monitor')
  expect(await converge(bench.host, 'postgres_role', { name: 'member' })).toEqual([])
  expect(
    await converge(bench.host, 'postgres_role', {
      name: 'member',
      member_of: ['pg_read_all_data'],
    }),
  ).toEqual([
    'sql in postgres: grant "pg_read_all_data" to "member"',
    'sql in postgres: revoke "pg_monitor" from "member"',
  ])
})

test('a password is stored as a SCRAM verifier and set only when the role has none', async () => {
  await converge(bench.host, 'postgres_role', { name: 'app', state: 'absent' })
  await converge(bench.host, 'postgres_role', withPassword)
  const [row] = await bench.server.sql<{ rolpassword: string }>(
    'postgres',
    "select rolpassword from pg_authid where rolname = 'app'",
  )
  expect(row?.rolpassword).toMatch(/^SCRAM-SHA-256\$/)
  const other = { name: 'app', password: new Secret('another', 'env:APP') } as unknown as JsonObject
  expect(await plan(bench.host, step('postgres_role', other))).toEqual([])
})

test('a plain password in the playbook is refused', () => {
  expect(() => step('postgres_role', { name: 'app', password: 'plain text' })).toThrow('password')
})
