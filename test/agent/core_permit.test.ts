import { expect, test } from 'vitest'
import { GATEWAY_LOST, SILENT } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'

test.each([
  ['leader', leader],
  ['follower', follower],
])(
  "a %s whose kine's permit is gone is not settled: its role is converged again (B9)",
  async (_, hostOf) => {
    const host = await hostOf()
    host.converges = {
      role: () => {
        host.permitted = true
        return DONE
      },
    }
    host.permitted = false
    await host.rounds(3)
    expect(host.log).toEqual(['converge role'])
    expect(host.core.status().settled).toBe(true)
    expect(host.notes.filter(({ kind }) => kind === 'fault')).toHaveLength(1)
  },
)

test('a permit that stays away costs a converge every other round, and one fault', async () => {
  const host = await leader()
  host.permitted = false
  await host.rounds(20)
  expect(host.log.length).toBeLessThanOrEqual(10)
  expect(host.notes.filter(({ kind }) => kind === 'fault')).toHaveLength(1)
})

test('a host that stands still needs no permit', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  await host.rounds(5, { ...SILENT, ...GATEWAY_LOST })
  host.permitted = false
  await host.rounds(5)
  expect(host.log).toEqual(['converge impair urgent'])
})

test('a kine that uses another database than its file names has the role converged, once for each (B9)', async () => {
  const host = await leader()
  host.converges = { role: () => DONE }
  host.astray = ['17']
  await host.rounds(4)
  expect(host.log).toEqual([])
  await host.rounds(8)
  expect(host.log).toEqual(['converge role'])
  // Whatever the converge made of it, it is not asked for again and again.
  await host.rounds(60)
  expect(host.log).toHaveLength(1)
  host.astray = ['18']
  await host.rounds(12)
  expect(host.log).toHaveLength(2)
  expect(host.notes.filter(({ kind }) => kind === 'fault')).not.toEqual([])
})
