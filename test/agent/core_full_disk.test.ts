import { expect, test } from 'vitest'
import { GATEWAY_UP, SILENT } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { follower } from '../support/settled_agents.ts'

const NO_ROOM = new Error('ENOSPC: no space left on device, write')

test('a disk that is full at the moment of promotion leaves a follower as it was, says so once, and holds up nothing when it has room', async () => {
  const host = await follower()
  host.converges = { promote: () => DONE, role: () => DONE }
  const before = host.disk.meta
  host.disks = (line) => (line.startsWith('meta') ? Promise.reject(NO_ROOM) : Promise.resolve())
  await host.rounds(12, { ...GATEWAY_UP, ...SILENT })
  expect(host.disk.meta).toEqual(before)
  expect(host.log).toEqual([])
  const faults = host.notes.filter(({ kind }) => kind === 'fault')
  expect(faults).toEqual([expect.objectContaining({ message: NO_ROOM.message })])
  expect(host.core.status()).toMatchObject({ meta: before, proofTerm: before?.term })
  host.disks = () => Promise.resolve()
  await host.rounds(3, { ...GATEWAY_UP, ...SILENT })
  expect(host.disk.meta?.leader).toBe('h2')
})
