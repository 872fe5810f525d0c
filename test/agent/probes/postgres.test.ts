import { createServer } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { PostgresProbe } from '../../../src/agent/probes/postgres.ts'
import type { FollowerSighting, LeaderSighting } from '../../../src/agent/ports.ts'
import { converge } from '../../support/postgres_bench.ts'
import { type Pair, startPair } from '../../support/replicating_pair.ts'
import type { ThrowawayPostgres } from '../../support/throwaway_postgres.ts'

const PATIENT = { timeout: 20_000 }

let pair: Pair
const probes: PostgresProbe[] = []

beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => await pair.close())
afterEach(async () => {
  for (const probe of probes.splice(0)) await probe.stop()
})

function probeOf(server: Pick<ThrowawayPostgres, 'socketDirectory' | 'port'>) {
  const { socketDirectory, port } = server
  const probe = new PostgresProbe({ socketDirectory, port, database: 'kine', user: 'postgres' })
  probes.push(probe)
  return probe
}

const NO_SLOT = { oldestWaitMs: 0, slot: 'missing', streaming: false, flushedBytes: null }

async function leaderSeenBy(probe: PostgresProbe, slot: string | null): Promise<LeaderSighting> {
  const seen = await probe.look(slot)
  if (!seen.up) throw new Error(seen.why)
  return seen.leader
}

async function followerSeenBy(probe: PostgresProbe): Promise<FollowerSighting | null> {
  const seen = await probe.look(null)
  if (!seen.up) throw new Error(seen.why)
  return seen.follower
}

const insert = (id: number) =>
  `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
   values (${id}, 'key ${id}', 1, 0, 0, 0, 0, '', '')`

const MB = 1024 * 1024

test('30: WAL that is kept for a follower is seen, and is room again when its slot is dropped and a checkpoint made', async () => {
  await pair.reset()
  const { server, host } = pair.leader
  for (let segment = 0; segment < 5; segment += 1)
    await server.sql(
      'kine',
      "select pg_logical_emit_message(false, 't', 'x'); select pg_switch_wal()",
    )
  const before = await leaderSeenBy(probeOf(server), 'h2_1_1')
  expect(before.keptBytes).toBeGreaterThan(64 * MB)
  const none = { database: 'kine', keep: [null], checkpoint: true }
  expect(await converge(host, 'replication_slots', none)).toEqual([
    expect.stringContaining('pg_drop_replication_slot'),
    'sql in postgres: checkpoint',
  ])
  const after = await leaderSeenBy(probeOf(server), 'h2_1_1')
  expect(after).toMatchObject({ slot: 'missing', keptBytes: 0 })
  expect(after.spareBytes - before.spareBytes).toBeGreaterThanOrEqual(64 * MB)
})

test('a pair that replicates is seen from both sides', async () => {
  const [leader, follower] = [probeOf(pair.leader.server), probeOf(pair.follower.server)]
  expect(await leaderSeenBy(leader, 'h2_1_1')).toMatchObject(NO_SLOT)

  await pair.reset()
  expect(await leaderSeenBy(leader, 'h2_1_1')).toMatchObject({ ...NO_SLOT, slot: 'idle' })
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  await expect
    .poll(async () => await leaderSeenBy(leader, 'h2_1_1'), PATIENT)
    .toMatchObject({ slot: 'active', streaming: true, synchronous: false })
  expect(await followerSeenBy(follower)).toEqual({
    slot: 'h2_1_1',
    enabled: true,
    ready: true,
    copied: null,
    workerAlive: true,
    errors: 0,
  })
  await pair.leader.server.sql('kine', insert(1))
  const { writtenBytes } = await leaderSeenBy(leader, 'h2_1_1')
  expect(writtenBytes).toBeGreaterThan(1_000_000)
  await expect
    .poll(async () => (await leaderSeenBy(leader, 'h2_1_1')).flushedBytes, PATIENT)
    .toBeGreaterThanOrEqual(writtenBytes)
})

test.each([
  ['dropped', 'drop publication twonode'],
  ['of another table', 'alter publication twonode drop table kine'],
  ['without deletes', "alter publication twonode set (publish = 'insert, update')"],
  ['of some rows', 'alter publication twonode set table kine where (id > 5)'],
])('A2: a publication that is %s does not publish the table', async (_, change) => {
  const probe = probeOf(pair.leader.server)
  expect(await leaderSeenBy(probe, null)).toMatchObject({ published: true })
  await pair.leader.server.sql('kine', change)
  expect(await leaderSeenBy(probe, null)).toMatchObject({ published: false })
  await pair.leader.server.sql('kine', 'drop publication if exists twonode')
  const tables = ['public.kine']
  const whole = { name: 'twonode', database: 'kine', tables }
  await converge(pair.leader.host, 'postgres_publication', whole)
})

test('B3: another slot than that of hostMeta is none', async () => {
  expect(await leaderSeenBy(probeOf(pair.leader.server), 'h2_9_9')).toMatchObject(NO_SLOT)
  expect(await leaderSeenBy(probeOf(pair.leader.server), null)).toMatchObject(NO_SLOT)
})

test('a subscription whose worker fails again and again shows it', async () => {
  const follower = probeOf(pair.follower.server)
  await pair.follower.server.sql('kine', `set session_replication_role = replica; ${insert(2)}`)
  const before = (await followerSeenBy(follower))?.errors ?? 0
  await pair.leader.server.sql('kine', insert(2))
  await expect
    .poll(async () => (await followerSeenBy(follower))?.errors, PATIENT)
    .toBeGreaterThan(before)
  await pair.reset()
})

test('without a subscription an empty table is half a copy, and one with rows is whole (A2, A3)', async () => {
  const { server } = pair.follower
  const probe = probeOf(server)
  expect(await followerSeenBy(probe)).toMatchObject({ slot: null, ready: false })
  await server.sql('kine', `set session_replication_role = replica; ${insert(1)}`)
  expect(await followerSeenBy(probe)).toBeNull()
  await server.sql('kine', 'alter table kine rename to moved')
  expect(await followerSeenBy(probe)).toMatchObject({ ready: false })
  await server.sql('kine', 'alter table moved rename to kine')
  await pair.reset()
})

test('B7: a commit that waits is seen to grow old, and then is gone', async () => {
  const { server } = pair.leader
  const probe = probeOf(server)
  await leaderSeenBy(probe, null)
  await server.sql('kine', "alter system set synchronous_standby_names = 'nobody'")
  await server.sql('kine', 'select pg_reload_conf()')
  await expect.poll(async () => (await leaderSeenBy(probe, null)).synchronous, PATIENT).toBe(true)
  const { socketDirectory: host, port } = server
  const writer = new Client({ host, port, database: 'kine', user: 'postgres', password: '' })
  await writer.connect()
  const written = writer.query(insert(3))
  await expect
    .poll(async () => (await leaderSeenBy(probe, null)).oldestWaitMs, PATIENT)
    .toBeGreaterThan(600)
  await server.sql('kine', 'alter system reset synchronous_standby_names')
  await server.sql('kine', 'select pg_reload_conf()')
  await written
  await writer.end()
  await expect.poll(async () => (await leaderSeenBy(probe, null)).oldestWaitMs, PATIENT).toBe(0)
})

test('a server that stops, and one that comes back, are seen without a restart of the probe', async () => {
  const { server } = pair.follower
  const probe = probeOf(server)
  expect((await probe.look(null)).up).toBe(true)
  await server.halt('immediate')
  await expect
    .poll(async () => await probe.look(null), PATIENT)
    .toMatchObject({ up: false, starting: false, why: expect.stringMatching(/listens/) as string })
  await server.restart()
  await expect.poll(async () => (await probe.look(null)).up, PATIENT).toBe(true)
})

test('a frozen server is one that does not answer, and answers when it thaws', async () => {
  const { server } = pair.follower
  const probe = probeOf(server)
  expect((await probe.look(null)).up).toBe(true)
  await server.signal('SIGSTOP')
  const startedAt = performance.now()
  const seen = await probe.look(null)
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  expect(seen).toMatchObject({ up: false, starting: false })
  await server.signal('SIGCONT')
  await expect.poll(async () => (await probe.look(null)).up, PATIENT).toBe(true)
})

test('a database that is not there is a server that can not be used', async () => {
  const { socketDirectory, port } = pair.leader.server
  const probe = new PostgresProbe({ socketDirectory, port, database: 'none', user: 'postgres' })
  probes.push(probe)
  expect(await probe.look(null)).toMatchObject({ up: false, starting: false })
})

test('crash recovery is a start, and told from a death', async () => {
  const socketDirectory = await mkdtemp('/tmp/twonode-recovering-')
  const body = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0')
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, body])))
  })
  await new Promise<void>((resolve) =>
    server.listen(join(socketDirectory, '.s.PGSQL.5432'), resolve),
  )
  expect(await probeOf({ socketDirectory, port: 5432 }).look(null)).toEqual({
    up: false,
    starting: true,
    why: expect.stringMatching(/starting up/) as string,
  })
  await new Promise((resolve) => server.close(resolve))
  await rm(socketDirectory, { recursive: true })
})
