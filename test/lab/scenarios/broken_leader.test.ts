import { expect, test } from 'vitest'
import { metaOf } from '../../../lab/pair_view.ts'
import { lastAck } from '../../../lab/writer_log.ts'
import { inHost } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 30_000
const HEALED_MS = 60_000

test("4: the leader's PostgreSQL can't start again: it yields, and its follower promotes", async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act("h1's PostgreSQL is broken", () => lab.breakPostgres('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.act('h1 is mended', () => lab.heal())
  await scenario.paired('h2', HEALED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test("30: the leader's disk is full, root and data and WAL: it yields, and follows when it has room again", async () => {
  const scenario = await startScenario({ smallDisks: true })
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act("h1's disk is full", () => lab.fillDisk('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  // An engine whose journal has no room changes nothing: its address would be on both.
  const argv = ['ip', '-o', 'address', 'show', 'to', lab.virtualIp]
  expect(await inHost('h1', argv)).toBe('')
  await scenario.act('h1 has room again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('2, A8: the leader hangs, its kernel and all, for 30 s, is replaced, and wakes up: it takes no write, and follows', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const stale = await scenario.writer('h1')
  const survivor = await scenario.writer('h2')
  // A hypervisor's pause: the lab's freezer alone leaves a kernel that answers pings.
  await scenario.act('h1 is frozen', async () => {
    await lab.cut('h1')
    await lab.freeze('h1')
  })
  const frozenAt = Date.now()
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.holds('h2 leads', () => metaOf(lab, 'h2')?.leader === 'h2', 25_000)
  const wokenAt = await scenario.act('h1 wakes up', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [survivor])
  const acks = stale.log().filter(({ kind, at }) => kind === 'ack' && at > frozenAt)
  expect(acks.filter(({ at }) => at < wokenAt)).toEqual([])
  await scenario.writing(HEALED_MS)
  expect(lastAck(stale.log())).toBeGreaterThan(wokenAt)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})
