import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { converge, result, until } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { postgresBackends } from '../../modules/postgres_backends.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = kineBench()
const clients: Client[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => {})
  await converge(bench.host, 'postgres_setting', { name: NAMES, state: 'reset' })
})

moduleCases(postgresBackends)

const NAMES = 'synchronous_standby_names'
const ofKine = { database: 'kine', which: 'of_role', role: 'kine' }
const others = { database: 'kine', which: 'others' }
const waiting = { database: 'kine', which: 'waiting', grace: '100ms' }

async function connect(user: string, database = 'kine'): Promise<Client> {
  const { socketDirectory: host, port } = bench.server
  const client = new Client({ host, port, database, user })
  client.on('error', () => {})
  await client.connect()
  clients.push(client)
  return client
}

const alive = async (client: Client) =>
  await client.query('select 1').then(
    () => true,
    () => false,
  )

test('A7: what kine had begun is ended and gone, and nothing of others', async () => {
  const kine = await connect('kine')
  const person = await connect('postgres')
  await kine.query("begin; insert into kine (name) values ('late')")
  expect(await converge(bench.host, 'postgres_backends', ofKine)).toHaveLength(1)
  expect(await result(bench.host, 'postgres_backends', ofKine)).toEqual({ found: 0 })
  expect([await alive(kine), await alive(person)]).toEqual([false, true])
  expect(await bench.server.sql('kine', "select from kine where name = 'late'")).toEqual([])
  expect(await converge(bench.host, 'postgres_backends', ofKine)).toEqual([])
})

test('B5: an open transaction in another database is ended, so that a slot is made at once', async () => {
  const person = await connect('postgres', 'postgres')
  await person.query('begin; select txid_current()')
  await converge(bench.host, 'postgres_backends', others)
  expect(await alive(person)).toBe(false)
  const begin = performance.now()
  await bench.server.sql('kine', "select pg_create_logical_replication_slot('at_once', 'pgoutput')")
  expect(performance.now() - begin).toBeLessThan(5_000)
  await bench.server.sql('kine', "select pg_drop_replication_slot('at_once')")
})

test('B3: a slot that a killed run of ours is still making is given up, and its other sessions stay', async () => {
  const open = await connect('postgres', 'postgres')
  await open.query('begin; select txid_current()')
  const [maker, idle] = [await connect('postgres'), await connect('postgres')]
  for (const ours of [maker, idle]) await ours.query("set application_name = 'twonode'")
  const text = 'select pg_create_logical_replication_slot($1, $2)'
  const made = maker.query(text, ['h1_3_1', 'pgoutput']).then(
    () => true,
    () => false,
  )
  const making = "select count(*) = 1 from pg_replication_slots where slot_name = 'h1_3_1'"
  await until(bench.server, 'kine', making)
  await converge(bench.host, 'postgres_backends', others)
  expect(await made).toBe(false)
  expect(await alive(idle)).toBe(true)
  expect(await bench.server.sql('kine', 'select from pg_replication_slots')).toEqual([])
})

async function waiters(count: number): Promise<Promise<boolean>[]> {
  const names = { name: NAMES, value: '"gone"', checkpoint: true }
  await converge(bench.host, 'postgres_setting', names)
  const found: Promise<boolean>[] = []
  for (let i = 0; i < count; i += 1) {
    const client = await connect('kine')
    const write = client.query('insert into kine (name, prev_revision) values ($1, $2)', [
      'w',
      Date.now() * 10 + i,
    ])
    found.push(
      write.then(
        () => true,
        () => false,
      ),
    )
  }
  const text = `select count(*) = ${count} from pg_stat_activity where wait_event = 'SyncRep'`
  await until(bench.server, 'postgres', text)
  return found
}

test('A9, C2: who still waits for a follower is cancelled, and hears of a success', async () => {
  const writes = await waiters(3)
  expect(await converge(bench.host, 'postgres_backends', waiting)).toHaveLength(1)
  expect(await Promise.all(writes)).toEqual([true, true, true])
})

test('C2: who comes free by itself is not touched', async () => {
  const writes = await waiters(2)
  const patient = { ...waiting, grace: '2s' }
  const released = converge(bench.host, 'postgres_backends', patient)
  await converge(bench.host, 'postgres_setting', { name: NAMES, state: 'reset' })
  await released
  expect(await Promise.all(writes)).toEqual([true, true])
})

test('sessions of a role are asked for with the role, and others without', async () => {
  for (const args of [
    { ...ofKine, role: undefined },
    { ...others, role: 'kine' },
  ]) {
    const given = JSON.parse(JSON.stringify(args)) as typeof others
    await expect(result(bench.host, 'postgres_backends', given)).rejects.toThrow('role')
  }
})
