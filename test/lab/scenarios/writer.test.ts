import { expect, test } from 'vitest'
import { inHost, psql } from '../pair.ts'
import { onThePair, startScenario, unitRuns } from '../scenario.ts'

// What judges every other scenario is tried itself: it passes what is kept, and finds what is lost.
// The three share the first one's pair.

test("acknowledged writes outlive a crash of the leader's PostgreSQL, through either host and the virtual address", async () => {
  const scenario = await startScenario()
  for (const to of ['h1', 'h2', 'virtualIp'] as const) await scenario.writer(to)
  await scenario.act("h1's PostgreSQL crashes and is started again", async () => {
    expect(scenario.lab.signalUnit('h1', 'postgresql@15-main.service')).toBeGreaterThan(1)
    await inHost('h1', ['systemctl', 'restart', 'postgresql@15-main.service'])
  })
  await scenario.writing(30_000)
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
  // It was there while there was no database: it was refused, or waited.
  expect(scenario.timeline()).toMatch(/writer-3 +(write \d+: |acknowledged again after)/)
})

test('an acknowledged write that is gone is found, by the object and by the table', async () => {
  const scenario = await onThePair()
  const writer = await scenario.writer('h2')
  const log = await writer.stop()
  const last = log.findLast((record) => record.kind === 'ack')
  await psql('h1', `delete from kine where id = ${last?.rv ?? 0}`)
  expect(await scenario.end('h1', [])).toEqual([
    `${writer.name}: acknowledged and lost: ${last?.n}`,
    `${writer.name}: no rows ${last?.rv} on h1`,
  ])
})

test("a restart of one of Kubernetes' parts is found", async () => {
  const scenario = await onThePair()
  expect(await unitRuns('h2', 'k3s.service')).toBe(true)
  expect(scenario.lab.signalUnit('h2', 'k3s.service')).toBeGreaterThan(3)
  await scenario.poll(
    'k3s to be started again',
    async () => (await scenario.end('h1', ['h1', 'h2'])).length === 3,
    60_000,
  )
})
