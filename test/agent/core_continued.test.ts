import { expect, test } from 'vitest'
import { GATEWAY_LOST, GATEWAY_UP, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE, ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()

/** A paired leader whose agent ended, and starts anew this long after its last beat. */
async function startsAfter(silenceMs: number | null, { permitted = true, self = 'h1' } = {}) {
  const host = new ScriptedHost(self, { meta: META })
  host.converges = { impair: () => DONE, role: () => DONE, alone: () => DONE }
  host.permitted = permitted
  host.heartbeat.lastBeatAt = silenceMs === null ? null : host.clock.now() - silenceMs
  await host.core.start()
  return host
}

const ALONE_NOW = { ...GATEWAY_UP, ...SILENT, ...leading({ streaming: false }) }

test('A5, A8: an agent of a leader that starts anew within the time of a late round goes on: a follower that died in the same moment makes no outage', async () => {
  const host = await startsAfter(1_200)
  await host.rounds(12, ALONE_NOW)
  expect(host.log).not.toContain('converge impair urgent')
  expect(host.core.status().meta?.mode).toBe('alone')
})

test.each([
  { what: 'its last beat was as long ago as a late round', silenceMs: 60_000, permitted: true },
  { what: 'nothing was alive since the boot', silenceMs: null, permitted: true },
  { what: 'its clock is of another boot', silenceMs: -5_000, permitted: true },
  { what: 'the one before it had stopped kine', silenceMs: 1_200, permitted: false },
])('A5: it has to be proven anew when $what', async ({ silenceMs, permitted }) => {
  const host = await startsAfter(silenceMs, { permitted })
  await host.rounds(12, ALONE_NOW)
  expect(host.log).toContain('converge impair urgent')
  expect(host.rule).toBe('unproven-wait')
})

test('B6: nor does it go on when it is cut off: the deadlines of the one before it are forgotten', async () => {
  const host = await startsAfter(1_200)
  await host.rounds(12, { ...ALONE_NOW, ...GATEWAY_LOST })
  expect(host.log).toContain('converge impair urgent')
})
