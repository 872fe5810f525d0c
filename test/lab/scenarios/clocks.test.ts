import { expect, test } from 'vitest'
import type { HostName } from '../../../lab/names.ts'
import { agentStatus, metaOf } from '../../../lab/pair_view.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const HEALED_MS = 60_000

const UNITS = [
  ['h1', 'postgresql@15-main.service'],
  ['h1', 'twonode-agent.service'],
  ['h2', 'twonode-agent.service'],
] as const satisfies readonly (readonly [HostName, string])[]

/** @unit seconds */
const A_DAY = 86_400
const AN_HOUR = 3_600

test('29: clocks that jump and lie change no role, and have no say in who wins: the promoted one does, though the other wrote its hostMeta a day later by its own clock', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const isSettled = async (host: HostName) => (await agentStatus(lab, host))['settled'] === 'yes'
  await scenario.act('their clocks can be moved', async () => {
    for (const [host, unit] of UNITS) {
      await lab.fakeClock(host, unit, 0)
      await scenario.poll(`${host} to be settled`, () => isSettled(host), HEALED_MS)
    }
  })
  await scenario.paired('h1', HEALED_MS)
  const loser = await scenario.writer('h1')
  const winner = await scenario.writer('h2')
  const { term } = metaOf(lab, 'h1') ?? {}
  await scenario.act("h1's clocks jump a day ahead, h2's an hour back", async () => {
    await lab.fakeClock('h1', 'twonode-agent.service', A_DAY)
    await lab.fakeClock('h2', 'twonode-agent.service', -AN_HOUR)
  })
  await scenario.holds('nothing changes', () => metaOf(lab, 'h1')?.term === term, 6_000)
  await scenario.writing(FAILOVER_MS)
  await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS, [winner])
  const written = (host: HostName) => Date.parse(metaOf(lab, host)?.lastModified ?? '')
  expect(written('h1') - written('h2')).toBeGreaterThan(A_DAY * 1_000)
  await loser.stop()
  scenario.forget(loser)
  await scenario.act('the link is there again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [winner])
  expect(metaOf(lab, 'h1')?.leader).toBe('h2')
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})
