import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { converge, until } from '../support/postgres_bench.ts'
import { type Pair, startPair } from '../support/replicating_pair.ts'

const NAMES = { name: 'synchronous_standby_names', value: '"h2"', checkpoint: true }

/** By default a worker that lost its publisher is started again after this. @unit milliseconds */
const DEFAULT_RETRY_MS = 5_000

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair.close()
})

/** A commit as kine makes one, which waits for the follower. */
async function commit(name: string): Promise<void> {
  const { socketDirectory: host, port } = pair.leader.server
  const client = new Client({ host, port, database: 'kine', user: 'kine' })
  await client.connect()
  try {
    await client.query('insert into kine (name, prev_revision) values ($1, 0)', [name])
  } finally {
    await client.end()
  }
}

test('C1: a crash of the leader’s PostgreSQL costs its first commit no 5 s: the follower is back at once', async () => {
  await pair.reset()
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  await converge(pair.leader.host, 'postgres_setting', NAMES)
  await commit('/registry/before')
  await pair.leader.server.halt('immediate')
  await pair.leader.server.restart()
  const servesAt = performance.now()
  await commit('/registry/after')
  expect(performance.now() - servesAt).toBeLessThan(DEFAULT_RETRY_MS)
  // Acknowledged is what both have.
  const there = await pair.follower.server.sql(
    'kine',
    "select from kine where name = '/registry/after'",
  )
  expect(there).toHaveLength(1)
  await until(
    pair.leader.server,
    'postgres',
    "select bool_and(sync_state = 'sync') from pg_stat_replication",
  )
})
