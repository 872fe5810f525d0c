import { expect, test } from 'vitest'
import { decisions } from '../../../lab/pair_view.ts'
import { failoverTimes } from '../../../lab/failover_times.ts'
import { peerOf, type HostName } from '../../../lab/names.ts'
import { converge, explain } from '../../../lab/twonode_process.ts'
import { psql, stepNames } from '../pair.ts'
import { startScenario, unitRuns } from '../scenario.ts'

/** Detection, promotion and a busy machine. @unit milliseconds */
const FAILOVER_MS = 15_000

/** Boot, return without a copy, pairing. @unit milliseconds */
const RETURN_MS = 60_000

test('1, 42: the leader loses its power: the follower serves within seconds; the dead one returns, and a converge finds nothing to do', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h2')

  const offAt = await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const times = failoverTimes({
    offAt,
    survivor: 'h2',
    decisions: decisions(lab, offAt),
    log: writer.log(),
  })
  expect(times.gap, scenario.timeline()).toBeLessThan(10_000)

  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS)

  // The agent waits for no k3s, and one that still starts is no difference of the converge's.
  await scenario.poll("h1's k3s runs", () => unitRuns('h1', 'k3s.service'), RETURN_MS)
  const again = await converge(scenario.from)
  expect(again.code, explain(again)).toBe(0)
  expect(stepNames(again, 'changed')).toEqual([])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('16: an old leader on which nothing waited when it died returns without a copy', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h2')
  await writer.stop()
  // A commit that waits for its follower is on the dead host alone, and makes a copy of its return.
  await scenario.act('nothing writes any more', async () => {
    for (const host of ['h1', 'h2'] satisfies HostName[])
      lab.signalUnit(host, 'kine.service', { signal: 'SIGSTOP' })
    await scenario.poll(
      'nothing to wait for a follower',
      async () =>
        (await psql(
          'h1',
          `select count(*) = 1 and bool_and(replay_lsn >= pg_current_wal_lsn()) from pg_stat_replication`,
        )) === 't',
      5_000,
    )
  })
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS, [])
  expect(await scenario.keptTables('h1')).toEqual([])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('26: A, B, A, B: each leader that dies is replaced by the other, which was following again', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  for (const victim of ['h1', 'h2', 'h1', 'h2'] satisfies HostName[]) {
    const survivor = peerOf(victim)
    await scenario.act(`${victim} loses its power`, () => lab.powerOff(victim))
    await scenario.until({ leader: survivor, mode: 'alone' }, [survivor], FAILOVER_MS)
    const writer = await scenario.writer(survivor)
    await scenario.act(`${victim} has power again`, () => lab.powerOn(victim))
    await scenario.paired(survivor, RETURN_MS)
    // The next one to die is the host through which it writes.
    await writer.stop()
  }
  expect(await scenario.end('h1', [])).toEqual([])
})
