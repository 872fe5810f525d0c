import { expect, test } from 'vitest'
import { answers, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { follower } from '../support/settled_agents.ts'

const META = pairMeta()

/** h2 is paused, its leader is silent for so long, and then it is resumed. */
async function resumedAfter(seconds: number) {
  const host = await follower()
  host.disk.paused = true
  await host.rounds(seconds, SILENT)
  expect(host.disk.meta).toEqual(META)
  host.disk.paused = false
  await host.rounds(1)
  return host
}

test('27: what a pause has held up for a while is done when it is resumed', async () => {
  const host = await resumedAfter(50)
  expect(host.rule).toBe('promote')
})

test('27: after a long silence a proof proves nothing: the leader may have acknowledged alone behind a cut (A3)', async () => {
  const host = await resumedAfter(70)
  expect(host.rule).toBe('no-proof')
  await host.rounds(30)
  expect(host.disk.meta).toEqual(META)
})

test('a leader that is heard again and says "paired" has never been alone: its proof counts again (A3)', async () => {
  const host = await resumedAfter(70)
  await host.rounds(2, answers({ meta: META }))
  await host.rounds(6, SILENT)
  expect(host.disk.meta?.leader).toBe('h2')
})

test('an operator may promote it by force', async () => {
  const host = await resumedAfter(70)
  const plain = host.core.ask({ kind: 'promote', force: false })
  await host.rounds(1)
  expect(await plain).toMatchObject({ ok: false, rule: 'no-proof' })
  const forced = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(1)
  expect(await forced).toMatchObject({ ok: true, rule: 'promote-forced' })
})
