import { afterEach, beforeEach, expect, test } from 'vitest'
import { answers, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { ControlBench, META, withRounds } from './support/control_agent.ts'

let bench: ControlBench
beforeEach(() => {
  bench = new ControlBench()
})
afterEach(async () => await bench.close())

test('a follower that is to stop says so to its leader, and its command ends when that goes on alone (B7)', async () => {
  const host = await bench.agentOf('h2')
  const leaving = bench.twonode('leave', '--for', '10m')
  await expect.poll(() => host.core.status().leaving, { timeout: 10_000 }).toBe(true)
  const alone = pairMeta({ mode: 'alone', term: META.term + 1 })
  host.sighting = { ...host.sighting, ...answers({ meta: alone, proofTerm: null }) }
  expect(await withRounds(host, leaving)).toBe('h1 goes on alone: h2 may stop\n')
  expect(await bench.twonode('leave', '--end')).toBe('h2 stays\n')
  expect(host.core.status().leaving).toBeUndefined()
})

test('whose leader does not go on alone stays, and is told why it should not stop', async () => {
  const host = await bench.agentOf('h2')
  const leaving = bench.twonode('leave')
  await expect(withRounds(host, leaving)).rejects.toThrow('h1 does not go on alone')
  expect(host.core.status().leaving).toBeUndefined()
})

test('whose leader dies meanwhile leads itself, and is told not to stop', async () => {
  const host = await bench.agentOf('h2')
  const leaving = bench.twonode('leave')
  await expect.poll(() => host.core.status().leaving, { timeout: 10_000 }).toBe(true)
  host.sighting = { ...host.sighting, ...SILENT }
  await expect(withRounds(host, leaving)).rejects.toThrow('h2 leads now')
  expect(host.disk.meta).toMatchObject({ leader: 'h2', mode: 'alone' })
})

test('a leader does not leave: it hands over first', async () => {
  await bench.agentOf('h1')
  await expect(bench.twonode('leave')).rejects.toMatchObject({
    message: 'h1 does not follow: only a follower leaves',
    hint: '`twonode switchover` first.',
  })
})

test.each(['0s', '3h', 'soon'])('to leave for %s is refused', async (text) => {
  await bench.agentOf('h2')
  await expect(bench.twonode('leave', '--for', text)).rejects.toThrow('a host leaves for 1s to 2h')
})
