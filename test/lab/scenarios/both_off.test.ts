import { expect, test } from 'vitest'
import type { Lab } from '../../../lab/lab.ts'
import { metaOf } from '../../../lab/pair_view.ts'
import { firstAckAfter, type WriterRecord } from '../../../lab/writer_log.ts'
import { kubectl, psql, theLab } from '../pair.ts'
import { startScenario, unitRuns } from '../scenario.ts'
import { leavesThePair } from '../standing_pair.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const RETURN_MS = 90_000

/** A host that waits must be seen to wait. @unit milliseconds */
const WAITS_MS = 10_000

/** An API server starts, on a machine that is busy. @unit milliseconds */
const READS_MS = 120_000

const K3S = '/usr/local/bin/k3s'

leavesThePair(theLab)

async function isRead(lab: Lab): Promise<boolean> {
  const { stdout } = await lab.exec('h1', ['twonode', 'status', '--json'])
  return stdout.includes('"reads":"served"')
}

async function lastRevision(): Promise<string> {
  return await psql('h1', 'select max(id) from kine')
}

/**
 * Whether a write that was begun from this moment on was acknowledged. An answer of before may be heard
 * later: a writer that waited for the processor heard one 0.8 s after the power was gone.
 */
function acknowledges(log: readonly WriterRecord[], since: number): boolean {
  const begun = log.find(({ kind, at }) => kind === 'try' && at >= since)
  return begun !== undefined && firstAckAfter(log, begun.at) !== undefined
}

test('19, A5, B8: both lose their power; the leader comes back first, waits for its follower, and can be read meanwhile', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  await scenario.act('h1 and h2 lose their power', () =>
    Promise.all([lab.powerOff('h1'), lab.powerOff('h2')]),
  )
  const offAt = Date.now()
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.holds(
    'nothing is acknowledged by a leader that is not proven',
    () => !acknowledges(writer.log(), offAt),
    WAITS_MS,
  )
  await scenario.poll('h1 to say that it is read', () => isRead(lab), READS_MS)
  const before = await lastRevision()
  expect(await kubectl('h1', ['get', 'namespaces', '--output=name'])).toContain('kube-system')
  const refused = await lab.exec('h1', [K3S, 'kubectl', 'create', 'namespace', 'refused'])
  expect(refused.code, refused.stdout).not.toBe(0)
  expect(refused.stderr).toContain('denying all modifications')
  expect(await lastRevision(), 'something was written to the table').toBe(before)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  for (const unit of ['kine-reads.service', 'k3s-reads.service'])
    expect(await unitRuns('h1', unit), `${unit} runs beside kine`).toBe(false)
  expect(metaOf(lab, 'h1')).toMatchObject({ branch: 1 })
  expect(await scenario.end('h1', [])).toEqual([])
})

test('19, A3: both lose their power; the follower comes back first, and does not lead: its proof is void since the boot', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h1')
  await scenario.act('h1 and h2 lose their power', () =>
    Promise.all([lab.powerOff('h1'), lab.powerOff('h2')]),
  )
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.holds('h2 follows', () => metaOf(lab, 'h2')?.leader === 'h1', WAITS_MS)
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h1', RETURN_MS)
  expect(await scenario.end('h1', [])).toEqual([])
})

test('19: the old leader comes back while the new one is off: it waits, and follows when the new one is there', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.holds(
    'h1 does not lead alone',
    () => metaOf(lab, 'h1')?.mode !== 'alone',
    WAITS_MS,
  )
  expect(await unitRuns('h1', 'kine.service'), 'a stale leader serves writes').toBe(false)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h2', RETURN_MS)
  expect(await scenario.end('h2', [])).toEqual([])
})
