import { expect, test } from 'vitest'
import { longestGap } from '../../../lab/writer_log.ts'
import { theLab } from '../pair.ts'
import { startScenario } from '../scenario.ts'
import { leavesThePair } from '../standing_pair.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const RETURN_MS = 60_000

leavesThePair(theLab)

test('7, 8: the follower dies: the leader goes on alone after a stall that no k3s notices; the follower returns, catches up, and they are a pair again', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  const offAt = await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], ALONE_MS)
  await scenario.writing(ALONE_MS)
  expect(longestGap(writer.log(), offAt)?.ms, scenario.timeline()).toBeLessThan(5_000)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(await scenario.keptTables('h2'), 'no copy was made').toEqual([])
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})
