import { afterAll, beforeAll, expect, test } from 'vitest'
import { ABSENT, type Pair, startPair } from '../support/replicating_pair.ts'
import { converge, result } from '../support/postgres_bench.ts'
import { replicationSlots } from '../../modules/replication_slots.ts'
import { moduleCases } from '../support/module_cases.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair.close()
})

moduleCases(replicationSlots)

const keep = (...names: string[]) => ({ database: 'kine', keep: names })

test('B3: slots of other times are dropped, read or not, and the named one stays', async () => {
  await pair.reset()
  const { leader, follower } = pair
  await converge(follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  const slot = { name: 'h2_1_2', database: 'kine', publication: 'twonode' }
  await converge(leader.host, 'replication_slot', slot)
  expect(await converge(leader.host, 'replication_slots', keep('h2_1_2'))).toHaveLength(1)
  expect(await result(leader.host, 'replication_slots', keep())).toEqual({ slots: ['h2_1_2'] })
  expect(await converge(leader.host, 'replication_slots', keep('h2_1_2'))).toEqual([])
  await converge(follower.host, 'postgres_subscription', ABSENT)
})

test("a slot of a copy, of another plugin or of another database is nobody else's to drop", async () => {
  const { leader } = pair
  const make = async (database: string, name: string, plugin: string) =>
    await leader.server.sql(database, 'select pg_create_logical_replication_slot($1, $2)', [
      name,
      plugin,
    ])
  await make('kine', 'pg_16400_sync_16390_7300000000000000000', 'pgoutput')
  await make('kine', 'someone', 'test_decoding').catch(() => {})
  await make('postgres', 'elsewhere_1_1', 'pgoutput')
  await converge(leader.host, 'replication_slots', keep())
  const rows = await leader.server.sql<{ name: string }>(
    'kine',
    'select slot_name::text as name from pg_replication_slots order by 1',
  )
  expect(rows.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['elsewhere_1_1', 'pg_16400_sync_16390_7300000000000000000']),
  )
  for (const { name } of rows)
    await leader.server.sql('postgres', 'select pg_drop_replication_slot($1)', [name])
})
