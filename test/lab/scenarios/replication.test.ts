import { expect, test } from 'vitest'
import { psql } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const NOTICED_MS = 30_000
const RETURN_MS = 90_000

test('17, B3: the slot of a dead leader is lost before it returns: it comes back with a copy, and its own table is kept', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.act("h2's slots are dropped by hand", () =>
    psql('h2', 'select pg_drop_replication_slot(slot_name) from pg_replication_slots'),
  )
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS)
  expect(await scenario.keptTables('h1')).toHaveLength(1)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('32, B7: a row in the way stops the follower: the leader goes on alone in seconds, and the follower is made anew by a copy', async () => {
  const scenario = await startScenario()
  const writer = await scenario.writer('h1')
  await scenario.act('a row that is no copy stands in h2', () =>
    psql(
      'h2',
      `set session_replication_role = replica;
       insert into kine (id, name, created, deleted, create_revision, prev_revision, lease)
       select max(id) + 20, 'in-the-way', 1, 0, 0, 0, 0 from kine`,
    ),
  )
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], NOTICED_MS)
  await scenario.writing(NOTICED_MS)
  await scenario.paired('h1', RETURN_MS)
  expect(writer.log().length).toBeGreaterThan(0)
  const rows = await psql('h2', "select count(*) from kine where name = 'in-the-way'")
  expect(rows, 'the copy is the leader’s').toBe('0')
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})
