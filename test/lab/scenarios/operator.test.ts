import { expect, test } from 'vitest'
import type { HostName } from '../../../lab/names.ts'
import { metaOf } from '../../../lab/pair_view.ts'
import { converge, explain } from '../../../lab/twonode_process.ts'
import { inHost, stepNames } from '../pair.ts'
import { startScenario, unitRuns } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const RETURN_MS = 60_000

const PAUSE = '/var/lib/twonode/.two-node-pause'

test('27: paused, the follower of a dead leader waits; resumed, it promotes', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act('both are paused', async () => {
    for (const host of ['h1', 'h2'] satisfies HostName[]) await inHost(host, ['touch', PAUSE])
  })
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.holds('h2 follows', () => metaOf(lab, 'h2')?.leader === 'h1', 9_000)
  await scenario.act('h2 is resumed', () => inHost('h2', ['rm', PAUSE]))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await inHost('h1', ['rm', PAUSE])
  await scenario.paired('h2', RETURN_MS)
  expect(await scenario.end('h2', [])).toEqual([])
})

test('43: a converge from the laptop does not delay a promotion, and the next one finds nothing to do', async () => {
  const scenario = await startScenario()
  const { lab, from } = scenario
  await scenario.writer('h2')
  const racing = converge(from)
  await scenario.act('h1 loses its power during a converge', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  expect((await racing).code).not.toBe(0)
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS)
  await scenario.poll("h1's k3s runs", () => unitRuns('h1', 'k3s.service'), RETURN_MS)
  const next = await converge(from)
  expect(next.code, explain(next)).toBe(0)
  const last = await converge(from)
  expect(last.code, explain(last)).toBe(0)
  expect(stepNames(last, 'changed')).toEqual([])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})
