import { expect, test } from 'vitest'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import { psql } from '../pair.ts'
import { onTheHealedPair, startScenario } from '../scenario.ts'

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

test('32, B7: a row in the way stops the follower, which answers: its proof is void before the leader goes on alone, within seconds, and it is made anew by a copy', async () => {
  const scenario = await startScenario()
  const writer = await scenario.writer('h1')
  const inTheWayAt = await scenario.act('a row that is no copy stands in h2', () =>
    psql(
      'h2',
      `set session_replication_role = replica;
       insert into kine (id, name, created, deleted, create_revision, prev_revision, lease)
       select max(id) + 20, 'in-the-way', 1, 0, 0, 0, 0 from kine`,
    ),
  )
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], NOTICED_MS)
  await scenario.writing(NOTICED_MS)
  const recorded = decisions(scenario.lab, inTheWayAt)
    .filter(({ record }) => record['kind'] === 'proof' || record['kind'] === 'meta')
    .map(
      ({ host, record }) =>
        `${host} ${record['kind'] === 'proof' ? 'void' : String(record['mode'])}`,
    )
  expect(recorded.slice(0, 2), scenario.timeline()).toEqual(['h2 void', 'h1 alone'])
  await scenario.paired('h1', RETURN_MS)
  expect(writer.log().length).toBeGreaterThan(0)
  const rows = await psql('h2', "select count(*) from kine where name = 'in-the-way'")
  expect(rows, 'the copy is the leader’s').toBe('0')
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

const BY_HAND = [
  ['the publication is dropped', 'drop publication twonode'],
  // Its slot goes on, and its follower acknowledges what it never gets.
  ["the publication is of kine's table no more", 'alter publication twonode drop table kine'],
  [
    'the slot is dropped',
    `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where active;
     select pg_drop_replication_slot(slot_name) from pg_replication_slots`,
  ],
] as const

// On the pair that the test before has left.
test('32, A2, B3: what is dropped by hand on the leader, publication or slot, is healed by another slot and a copy', async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  await scenario.writer('h1')
  const numberOf = () => Number(metaOf(lab, 'h1')?.slot?.replace('h2_1_', ''))
  const first = numberOf()
  for (const [what, text] of BY_HAND) {
    const { term: before = 0 } = metaOf(lab, 'h1') ?? {}
    // A follower is faster back at its slot than two statements are: then once more.
    await scenario.act(`${what}, by hand`, () =>
      scenario.poll(
        'it to be so',
        () =>
          psql('h1', text).then(
            () => true,
            () => false,
          ),
        NOTICED_MS,
      ),
    )
    await scenario.poll('a change', () => (metaOf(lab, 'h1')?.term ?? 0) > before, NOTICED_MS)
    await scenario.paired('h1', RETURN_MS)
    await scenario.sameTables('h1', NOTICED_MS)
  }
  expect(numberOf()).toBe(first + BY_HAND.length)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

/** Of objects that nobody changes, as a disk that lost some pages would; nothing notices by itself. */
const LOSE_ROWS = `set session_replication_role = replica;
  delete from kine where id in (select id from kine where name like '/registry/namespaces/%')`

// On the pair that the test before has left.
test("31, A7: rows are gone from the follower's table: a hand-over finds it, the follower gives up its proof and copies the leader's; never the reverse", async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  await scenario.writer('h1')
  const namespaces = "select count(*) from kine where name like '/registry/namespaces/%'"
  const before = await psql('h1', namespaces)
  await scenario.act('rows of h2 are lost', () => psql('h2', LOSE_ROWS))
  expect(await psql('h2', namespaces)).toBe('0')
  const { slot } = metaOf(lab, 'h1') ?? {}
  await scenario.act('an operator switches over', () =>
    lab.exec('h1', ['/usr/local/bin/twonode', 'switchover'], { timeoutMs: RETURN_MS }),
  )
  await scenario.poll('another slot', () => metaOf(lab, 'h1')?.slot !== slot, RETURN_MS)
  await scenario.paired('h1', RETURN_MS)
  expect(await psql('h2', namespaces)).toBe(before)
  await scenario.sameTables('h1', RETURN_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})
