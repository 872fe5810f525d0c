import { Client } from 'pg'
import { describe, expect, test, vi } from 'vitest'
import { converge, kineWrites, plan, result, step } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { kineFence } from '../../modules/kine_fence.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = kineBench()

const on = { database: 'kine', state: 'on' }
const off = { database: 'kine', state: 'off' }

moduleCases(kineFence)

async function kineSession(): Promise<Client> {
  const { socketDirectory: host, port } = bench.server
  const client = new Client({ host, port, database: 'kine', user: 'kine' })
  // One that is ended from the other side tells its connection as well as its query.
  client.on('error', () => {})
  await client.connect()
  return client
}

describe('laws', () => {
  postgresLaws('kine_fence', () => bench, [{ title: 'the fence', args: on, opposite: off }])
})

test.each([
  ["insert into kine (name) values ('x')"],
  ["update kine set lease = 1 where name = 'nothing'"],
  ['delete from kine where false'],
  ['truncate kine'],
])('B1: %s is refused with 25006 while it is on', async (statement) => {
  await converge(bench.host, 'kine_fence', on)
  await expect(bench.server.sql('kine', `set role kine; ${statement}`)).rejects.toMatchObject({
    code: '25006',
    message: 'twonode: this host is not the leader',
  })
  await converge(bench.host, 'kine_fence', off)
  await bench.server.sql('kine', `begin; set local role kine; ${statement}; rollback`)
})

test('finding 5: a replication worker passes it', async () => {
  await converge(bench.host, 'kine_fence', on)
  await bench.server.sql(
    'kine',
    "set session_replication_role = replica; insert into kine (name) values ('copied')",
  )
  const found = await bench.server.sql('kine', "select name from kine where name = 'copied'")
  expect(found).toHaveLength(1)
  await converge(bench.host, 'kine_fence', off)
})

test('B1: on a leader whose follower is gone it rises at once, though every commit of others waits', async () => {
  const waits = { name: 'synchronous_standby_names', value: '"gone"', checkpoint: true }
  await converge(bench.host, 'postgres_setting', waits)
  try {
    const begin = performance.now()
    await converge(bench.host, 'kine_fence', on)
    await converge(bench.host, 'kine_fence', off)
    expect(performance.now() - begin).toBeLessThan(5_000)
  } finally {
    await converge(bench.host, 'postgres_setting', { name: waits.name, state: 'reset' })
  }
})

test.each([
  ['disabled', 'alter table kine disable trigger twonode_fence'],
  ['raised for everyone', 'alter table kine enable always trigger twonode_fence'],
  [
    'hollow',
    'create or replace function twonode.fence() returns trigger language plpgsql as $$ begin return null; end $$',
  ],
  [
    'of fewer operations',
    'create or replace trigger twonode_fence before insert on kine for each statement execute function twonode.fence()',
  ],
])('B1: a fence that is %s is raised again', async (_, drift) => {
  await converge(bench.host, 'kine_fence', on)
  await bench.server.sql('kine', drift)
  expect(await result(bench.host, 'kine_fence', on)).toEqual({ on: false })
  expect(await converge(bench.host, 'kine_fence', on)).toHaveLength(1)
  await expect(kineWrites(bench.server, '/a', 'b')).rejects.toMatchObject({ code: '25006' })
  await converge(bench.host, 'kine_fence', off)
})

test('B1: a session of kine that came back, and waits for a follower that is gone, does not keep it away', async () => {
  const waits = { name: 'synchronous_standby_names', value: '"gone"', checkpoint: true }
  await converge(bench.host, 'postgres_setting', waits)
  const writer = await kineSession()
  try {
    const told = writer.query("insert into kine (name) values ('in doubt')").then(
      () => 'acknowledged',
      () => 'ended',
    )
    await vi.waitFor(async () => {
      const waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep'"
      expect(await bench.server.sql('postgres', waiting)).toHaveLength(1)
    }, 10_000)
    await converge(bench.host, 'kine_fence', { ...on, ends: 'kine' })
    expect(await told).toBe('ended')
  } finally {
    await converge(bench.host, 'postgres_setting', { name: waits.name, state: 'reset' })
    await converge(bench.host, 'kine_fence', off)
    await writer.end()
  }
})

test('B1: behind a writer it waits no longer than its bound', async () => {
  const writer = await kineSession()
  await writer.query("begin; insert into kine (name) values ('under way')")
  const begin = performance.now()
  await expect(converge(bench.host, 'kine_fence', { ...on, timeout: '300ms' })).rejects.toThrow(
    'lock timeout',
  )
  expect(performance.now() - begin).toBeLessThan(5_000)
  await writer.query('rollback')
  await writer.end()
})

test('a table that an earlier task will make is not there yet', async () => {
  await expect(
    plan(bench.host, step('kine_fence', { ...on, database: 'postgres' })),
  ).rejects.toMatchObject({ name: 'NotYet' })
})
