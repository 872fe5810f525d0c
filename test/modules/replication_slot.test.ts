import { spawn } from 'node:child_process'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Bench,
  converge,
  makeKine,
  notes,
  plan,
  result,
  startBench,
  step,
  until,
} from '../support/postgres_bench.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { replicationSlot } from '../../modules/replication_slot.ts'
import { moduleCases } from '../support/module_cases.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench({
    settings: { max_slot_wal_keep_size: '32MB', max_wal_size: '64MB', min_wal_size: '32MB' },
  })
  await makeKine(bench.host)
  await converge(bench.host, 'postgres_publication', {
    name: 'twonode',
    database: 'kine',
    tables: ['public.kine'],
  })
})
afterAll(async () => {
  await bench.close()
})

const slot = { name: 'h2_1_1', database: 'kine', publication: 'twonode' }
const absent = { name: 'h2_1_1', database: 'kine', state: 'absent' }

moduleCases(replicationSlot)

describe('laws', () => {
  postgresLaws('replication_slot', () => bench, [{ title: 'a slot', args: slot, opposite: absent }])
})

test('A2, finding 3: it is not made before its publication names its table', async () => {
  const nameless = { ...slot, publication: 'later' }
  await expect(plan(bench.host, step('replication_slot', nameless))).rejects.toMatchObject({
    name: 'NotYet',
    message: 'publication later of database kine does not name public.kine',
  })
  await bench.server.sql(
    'kine',
    'create table other (id int primary key); create publication others for table other',
  )
  await expect(
    plan(bench.host, step('replication_slot', { ...slot, publication: 'others' })),
  ).rejects.toMatchObject({ name: 'NotYet' })
})

test("B3: someone else's slot of its name is refused", async () => {
  await converge(bench.host, 'replication_slot', absent)
  await bench.server.sql(
    'postgres',
    "select pg_create_logical_replication_slot('h2_1_1', 'pgoutput')",
  )
  await expect(plan(bench.host, step('replication_slot', slot))).rejects.toThrow(
    "refused: slot h2_1_1 is someone else's: it decodes postgres by pgoutput, not kine by pgoutput",
  )
  await bench.server.sql('postgres', "select pg_drop_replication_slot('h2_1_1')")
  await bench.server.sql('postgres', "select pg_create_physical_replication_slot('h2_1_1')")
  await expect(plan(bench.host, step('replication_slot', slot))).rejects.toThrow('it is physical')
  await bench.server.sql('postgres', "select pg_drop_replication_slot('h2_1_1')")
})

test('B5: its making waits for an open transaction no longer than its bound, and leaves nothing', async () => {
  await converge(bench.host, 'replication_slot', absent)
  const { socketDirectory: host, port } = bench.server
  const open = new Client({ host, port, database: 'postgres', user: 'postgres' })
  await open.connect()
  await open.query('begin; select txid_current()')
  const begin = performance.now()
  await expect(
    converge(bench.host, 'replication_slot', { ...slot, timeout: '500ms' }),
  ).rejects.toThrow('statement timeout')
  expect(performance.now() - begin).toBeLessThan(5_000)
  expect(await result(bench.host, 'replication_slot', slot)).toEqual({ exists: false })
  await open.query('rollback')
  await open.end()
  await converge(bench.host, 'replication_slot', slot)
})

test('a walsender that reads it is ended before it is dropped, though its client comes back', async () => {
  await converge(bench.host, 'replication_slot', slot)
  const { socketDirectory, port } = bench.server
  // Without --no-loop it connects again at once, as a subscriber would.
  const reader = spawn(
    '/usr/lib/postgresql/15/bin/pg_recvlogical',
    [
      '-h',
      socketDirectory,
      '-p',
      String(port),
      '-U',
      'postgres',
      '-d',
      'kine',
      '--slot',
      'h2_1_1',
      '--start',
      '-o',
      'proto_version=1',
      '-o',
      'publication_names=twonode',
      '-f',
      '/dev/null',
    ],
    { stdio: 'ignore' },
  )
  try {
    await until(
      bench.server,
      'kine',
      "select active from pg_replication_slots where slot_name = 'h2_1_1'",
    )
    expect(await result(bench.host, 'replication_slot', slot)).toMatchObject({ active: true })
    expect(await converge(bench.host, 'replication_slot', absent)).toHaveLength(1)
  } finally {
    reader.kill('SIGKILL')
  }
})

test('what it retains is noted while nobody reads it', async () => {
  await converge(bench.host, 'replication_slot', slot)
  await bench.server.sql('kine', "select pg_logical_emit_message(false, 'x', repeat('x', 3000000))")
  const [note] = await notes(bench.host, 'replication_slot', slot)
  expect(note).toMatch(/^slot h2_1_1 is read by nobody and retains [2-9]\.\d MB of WAL$/)
})

test('B3: one that has lost its WAL is refused, and can be dropped', async () => {
  await converge(bench.host, 'replication_slot', slot)
  for (let round = 0; round < 8; round += 1)
    await bench.server.sql(
      'kine',
      "select pg_logical_emit_message(false, 'x', repeat('x', 16000000)), pg_switch_wal()",
    )
  await bench.server.sql('kine', 'checkpoint')
  await until(
    bench.server,
    'kine',
    "select wal_status = 'lost' from pg_replication_slots where slot_name = 'h2_1_1'",
  )
  await expect(plan(bench.host, step('replication_slot', slot))).rejects.toThrow(
    'refused: slot h2_1_1 has lost its WAL',
  )
  await converge(bench.host, 'replication_slot', absent)
})

test('B3: a slot of a name that was used is not made again, and its follower is told', async () => {
  const once = { name: 'h2_1_7', database: 'kine', publication: 'twonode', once: true }
  await converge(bench.host, 'replication_slot', once)
  await bench.server.sql('kine', "select pg_drop_replication_slot('h2_1_7')")
  expect(await converge(bench.host, 'replication_slot', once)).toEqual([])
  expect(await notes(bench.host, 'replication_slot', once)).toEqual([
    expect.stringContaining('needs one of another name'),
  ])
})

test('B5: a promotion goes on without a slot that can not be made, and its name is used up', async () => {
  const { server, host } = bench
  // An open transaction holds every slot up.
  const blocked = server.sql('postgres', 'begin; select txid_current(); select pg_sleep(4); commit')
  await until(
    server,
    'postgres',
    "select exists (select from pg_stat_activity where query like '%pg_sleep(4)%' and backend_xid is not null and pid <> pg_backend_pid())",
  )
  const once = {
    name: 'h2_1_8',
    database: 'kine',
    publication: 'twonode',
    once: true,
    required: false,
    timeout: '300ms',
  }
  await converge(host, 'replication_slot', once)
  await blocked
  expect(await result(host, 'replication_slot', once)).toEqual({ exists: false })
  expect(await converge(host, 'replication_slot', once)).toEqual([])
})

test('names that PostgreSQL would refuse are refused before anything is asked', () => {
  expect(() => step('replication_slot', { ...slot, name: 'H2-1' })).toThrow('lower-case letters')
  expect(() => step('replication_slot', { name: 'h2', database: 'kine' })).toThrow(
    "'publication' is missing",
  )
})
