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
