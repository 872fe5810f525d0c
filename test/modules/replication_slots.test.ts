import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ABSENT, type Pair, startPair } from '../support/replicating_pair.ts'
import { converge, result, until } from '../support/postgres_bench.ts'
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
  expect(await result(leader.host, 'replication_slots', keep())).toEqual({
    slots: ['h2_1_2'],
    copies: [],
  })
  expect(await converge(leader.host, 'replication_slots', keep('h2_1_2'))).toEqual([])
  await converge(follower.host, 'postgres_subscription', ABSENT)
})

const ORPHAN = 'pg_16400_sync_16390_7300000000000000000'

async function makeOrphan(): Promise<void> {
  const { server } = pair.leader
  await server.sql('kine', `select pg_create_logical_replication_slot('${ORPHAN}', 'pgoutput')`)
}

const copies = async () =>
  (await result(pair.leader.host, 'replication_slots', keep()))['copies'] as string[]

test('the slot of a copy that was cut is dropped when the follower is back and nobody copies (B3)', async () => {
  await pair.reset()
  const { leader, follower } = pair
  await makeOrphan()
  await converge(leader.host, 'replication_slots', keep('h2_1_1'))
  expect(await copies(), 'nobody reads: its copy may only be cut off').toEqual([ORPHAN])
  await converge(follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  await expect
    .poll(async () => {
      await converge(leader.host, 'replication_slots', keep('h2_1_1'))
      return await copies()
    })
    .toEqual([])
  expect(await converge(leader.host, 'replication_slots', keep('h2_1_1'))).toEqual([])
  await converge(follower.host, 'postgres_subscription', ABSENT)
})

test('the slot of a copy under way stays, also while the content is sent and nobody reads it (A3)', async () => {
  await pair.reset()
  const { leader, follower } = pair
  await leader.server.sql('kine', "insert into kine (name) values ('a')")
  // The copy waits in the middle of the table's content.
  const { socketDirectory: host, port } = follower.server
  const holder = new Client({ host, port, database: 'kine', user: 'postgres' })
  await holder.connect()
  await holder.query(`
    create function hold() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(7); return new; end $$;
    create trigger hold before insert on kine for each row execute function hold();
    alter table kine enable replica trigger hold;
    select pg_advisory_lock(7)`)
  await converge(follower.host, 'postgres_subscription', pair.present())
  const idle =
    "select count(*) = 1 from pg_replication_slots where slot_name like 'pg_%_sync_%' and active_pid is null"
  await until(leader.server, 'kine', idle)
  await converge(leader.host, 'replication_slots', keep('h2_1_1'))
  expect(await copies()).toHaveLength(1)
  await holder.query('select pg_advisory_unlock(7); drop function hold cascade')
  await holder.end()
  await pair.ready()
  expect(await copies()).toEqual([])
  await converge(follower.host, 'postgres_subscription', ABSENT)
})

test("a slot of another plugin or of another database is nobody else's to drop", async () => {
  const { leader } = pair
  const make = async (database: string, name: string, plugin: string) =>
    await leader.server.sql(database, 'select pg_create_logical_replication_slot($1, $2)', [
      name,
      plugin,
    ])
  await make('kine', 'someone', 'test_decoding').catch(() => {})
  await make('postgres', 'elsewhere_1_1', 'pgoutput')
  await converge(leader.host, 'replication_slots', keep())
  const rows = await leader.server.sql<{ name: string }>(
    'kine',
    'select slot_name::text as name from pg_replication_slots order by 1',
  )
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(['elsewhere_1_1']))
  for (const { name } of rows)
    await leader.server.sql('postgres', 'select pg_drop_replication_slot($1)', [name])
})
