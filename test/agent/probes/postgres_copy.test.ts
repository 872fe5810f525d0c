import { afterEach, beforeEach, expect, test } from 'vitest'
import { PostgresProbe } from '../../../src/agent/probes/postgres.ts'
import type { FollowerSighting } from '../../../src/agent/ports.ts'
import { converge } from '../../support/postgres_bench.ts'
import { type Pair, startPair } from '../../support/replicating_pair.ts'
import type { ThrowawayPostgres } from '../../support/throwaway_postgres.ts'

const PATIENT = { timeout: 20_000 }

let pair: Pair
const probes: PostgresProbe[] = []

beforeEach(async () => {
  pair = await startPair()
  await pair.reset()
})
afterEach(async () => {
  for (const probe of probes.splice(0)) await probe.stop()
  await pair.close()
})

async function look({ socketDirectory, port }: ThrowawayPostgres) {
  const probe = new PostgresProbe({ socketDirectory, port, database: 'kine', user: 'postgres' })
  probes.push(probe)
  const seen = await probe.look('h2_1_1')
  if (!seen.up) throw new Error(seen.why)
  return seen
}

async function seen(): Promise<FollowerSighting | null> {
  return (await look(pair.follower.server)).follower
}

const insert = (id: number) =>
  `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
   values (${id}, 'key ${id}', 1, 0, 0, 0, 0, '', '')`

test('a copy that fails for ever is told by its errors alone: the stream beside it lives (A3)', async () => {
  await converge(pair.follower.host, 'postgres_subscription', pair.present({ enabled: false }))
  for (const { server } of [pair.leader, pair.follower])
    await server.sql('kine', `set session_replication_role = replica; ${insert(1)}`)
  await pair.follower.server.sql('kine', 'alter subscription twonode enable')
  await expect.poll(async () => (await seen())?.errors ?? 0, PATIENT).toBeGreaterThan(1)
  expect(await seen()).toMatchObject({
    slot: 'h2_1_1',
    ready: false,
    copied: expect.stringMatching(/^d/),
    workerAlive: true,
  })
  const leader = await look(pair.leader.server)
  expect(leader.leader).toMatchObject({ slot: 'active', streaming: true })
})

test('a copy that takes its time is seen to go on', async () => {
  const rows = Array.from({ length: 400 }, (_, index) => insert(index + 1)).join('; ')
  await pair.leader.server.sql('kine', rows)
  await pair.follower.server.sql(
    'kine',
    `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.01); return new; end';
     create trigger slow before insert on kine for each row execute function slow();
     alter table kine enable always trigger slow`,
  )
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  const looks = new Set<string>()
  await expect
    .poll(async () => {
      const copied = (await seen())?.copied
      if (copied != null) looks.add(copied)
      return looks.size
    }, PATIENT)
    .toBeGreaterThan(5)
  await pair.ready()
})
