import { expect, test } from 'vitest'
import { answers, following, GATEWAY_UP, pairMeta } from '../support/agent_sightings.ts'
import { DONE, FAILED, ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()
const FREE = { disk: { writable: true, freeBytes: 1e10 } }

test('what fails in a routine is tried again with growing pauses', async () => {
  const host = new ScriptedHost('h2', { meta: META })
  host.converges = { role: () => FAILED }
  await host.core.start()
  await host.rounds(40, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  expect(host.log.filter((line) => line.startsWith('converge'))).toHaveLength(6)
})

test('a role whose lock a laptop holds is settled a round after the lock is free', async () => {
  const host = new ScriptedHost('h2', { meta: META })
  host.converges = { role: () => ({ kind: 'locked', by: 'a laptop' }) }
  await host.core.start()
  await host.rounds(40, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  host.converges = { role: () => DONE }
  await host.rounds(1)
  expect(host.core.status().settled).toBe(true)
})

test.each([
  ['its PostgreSQL is up', { postgres: { up: false, starting: true, why: 'recovers' } }],
  ['its disk is free', { disk: { writable: false, freeBytes: 0 } }],
  ['its leader has settled', answers({ meta: META, settled: false })],
] as const)('a pause between two tries that has grown ends when %s again', async (_, trouble) => {
  const host = new ScriptedHost('h2', { meta: META })
  host.converges = { role: () => FAILED }
  await host.core.start()
  const well = { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1'), ...FREE }
  await host.rounds(40, { ...well, ...trouble })
  host.converges = { role: () => DONE }
  await host.rounds(1, well)
  expect(host.core.status().settled).toBe(true)
})
