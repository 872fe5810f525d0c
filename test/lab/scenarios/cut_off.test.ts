import { expect, test } from 'vitest'
import { metaOf } from '../../../lab/pair_view.ts'
import { lastAck } from '../../../lab/writer_log.ts'
import { inHost, psql } from '../pair.ts'
import { startScenario, unitRuns } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const HEALED_MS = 60_000

test('10: the leader is cut off from everything: it stops taking writes before the follower leads, and follows when the cut heals', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const inside = await scenario.writer('h1', 'h1')
  const survivor = await scenario.writer('h2', 'h2')
  const cutAt = await scenario.act('h1 is cut off', () => lab.cut('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.poll(
    'the survivor acknowledges writes',
    () => survivor.log().some(({ kind, at }) => kind === 'ack' && at > cutAt + 2_000),
    FAILOVER_MS,
  )
  // In mode paired nothing can be acknowledged without the follower at all.
  expect(lastAck(inside.log()), scenario.timeline()).toBeLessThan(cutAt + 1_000)
  expect(await unitRuns('h1', 'kine.service')).toBe(false)
  const addresses = await inHost('h1', ['ip', '-o', '-4', 'address', 'show', 'dev', 'eth0'])
  expect(addresses).not.toContain(`${lab.virtualIp}/`)
  await scenario.act('the cut heals', () => lab.heal())
  await scenario.paired('h2', HEALED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('11: the follower is cut off from everything: it never promotes; the leader goes on alone', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h1')
  await scenario.act('h2 is cut off', () => lab.cut('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.holds('h2 does not lead', () => metaOf(lab, 'h2')?.leader === 'h1', 8_000)
  await scenario.act('the cut heals', () => lab.heal())
  await scenario.paired('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

test('9: the link between them is cut and both see the gateway: under availability both write, and when it heals the promoted one leads and the other keeps its own history', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const loser = await scenario.writer('h1')
  const winner = await scenario.writer('h2')
  const cutAt = await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const divergent = await loser.stop()
  await scenario.act('the link is there again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [winner])
  const [kept] = await scenario.keptTables('h1')
  expect(kept, "the loser's history is kept").toBeDefined()
  const rows = await psql('h1', `select id from ${kept}.kine where name like '%/${loser.name}'`)
  const there = new Set(rows.split('\n').map(Number))
  const lost = divergent.filter((record) => record.kind === 'ack' && !there.has(record.rv))
  expect(lost, 'acknowledged, and nowhere').toEqual([])
  // What was acknowledged while they were a pair is on both.
  const before = divergent.findLast((record) => record.kind === 'ack' && record.at < cutAt)
  const both = await psql('h2', `select id from kine where name like '%/${loser.name}'`)
  expect(both.split('\n').map(Number)).toContain(before?.kind === 'ack' ? before.rv : undefined)
  scenario.forget(loser)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('12: a cut of one direction is a cut, and makes no more than one change of leader', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const winner = await scenario.writer('h2')
  await scenario.act('nothing that h1 sends reaches h2', () =>
    lab.cut('h1', { from: 'peer', oneWay: true }),
  )
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  const { term } = metaOf(lab, 'h2') ?? {}
  await scenario.holds('nothing changes any more', () => metaOf(lab, 'h2')?.term === term, 8_000)
  await scenario.act('the path is whole again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [winner])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})
