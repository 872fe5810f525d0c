import { expect, test } from 'vitest'
import {
  answers,
  following,
  GATEWAY_LOST,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'

const META = pairMeta()
const NOBODY_READS = leading({ slot: 'idle', streaming: false, flushedBytes: null })

test.each(['missing', 'lost'] as const)(
  'a leader alone whose commits are released gets over it: a slot that is %s is made anew, and it is settled (B7, B3)',
  async (slot) => {
    const gone = { slot, streaming: false, flushedBytes: null } as const
    const host = await leader({ meta: pairMeta({ term: 3, mode: 'alone' }) })
    host.converges = { alone: () => DONE, role: () => DONE }
    // The look that fell between hostMeta and the release still saw a commit wait.
    await host.rounds(1, { ...SILENT, ...leading({ ...gone, oldestWaitMs: 1600 }) })
    const released = leading({ ...gone, synchronous: false })
    await host.rounds(3, released)
    const back = answers({ meta: pairMeta({ term: 3, mode: 'alone' }), lacksSlot: true })
    await host.rounds(20, { ...back, ...released })
    const releases = host.log.filter((line) => line === 'converge alone urgent')
    expect(releases.length).toBeLessThan(5)
    expect(host.log).toContain('meta 4/1 alone h1 h2_1_2')
  },
)

test('a first pairing that was cut, and whose follower then died, holds no write: whoever makes the pair is not ended, and then they are released (A3, B7)', async () => {
  const host = await leader({ meta: pairMeta({ term: 1, mode: 'alone' }) })
  const waits = leading({
    slot: 'idle',
    streaming: false,
    flushedBytes: null,
    oldestWaitMs: 2000,
  })
  // The laptop's run that pairs holds the lock.
  host.converges = { alone: () => ({ kind: 'locked', by: 'a laptop' }), role: () => DONE }
  await host.rounds(10, { ...SILENT, ...waits })
  expect(new Set(host.log)).toEqual(new Set(['converge alone']))
  host.log.length = 0
  host.converges = { alone: () => DONE, role: () => DONE }
  await host.rounds(1)
  await host.rounds(5, leading({ slot: 'idle', streaming: false, synchronous: false }))
  expect(host.log.filter((line) => line === 'converge alone')).toHaveLength(1)
  expect(host.core.status().settled).toBe(true)
})

test('a leader whose peer could not void for a while, and then can, is not stuck without a gateway (B7)', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE, role: () => DONE }
  let peerWrites = false
  host.voids = () => peerWrites
  const says = answers({ meta: META, proofTerm: 2, gateway: 'down' })
  await host.rounds(8, { ...GATEWAY_LOST, ...says, ...NOBODY_READS })
  expect(host.disk.meta?.mode).toBe('paired')
  peerWrites = true
  await host.rounds(120)
  expect(host.disk.meta?.mode).toBe('alone')
})

test('a void that failed long ago gives the leader no right to go alone after one failed attempt (B7)', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE, role: () => DONE }
  host.voids = () => false
  const says = answers({ meta: META, proofTerm: 2 })
  await host.rounds(3, { ...says, ...NOBODY_READS })
  await host.rounds(200, { ...says, ...leading() })
  host.log.length = 0
  await host.rounds(3, { ...says, ...NOBODY_READS })
  expect(host.log.filter((line) => line.startsWith('meta'))).toEqual([])
})

test('a follower that was asked to void its proof and could not write it does not promote by it (B7)', async () => {
  const host = await follower()
  host.disks = () => Promise.reject(new Error('ENOSPC'))
  expect(await host.core.onVoidProof(2)).toBe(false)
  // For the fence time the leader tries again and says "paired"; then it goes alone, and is gone.
  await host.rounds(2)
  expect(await host.core.onVoidProof(2)).toBe(false)
  await host.rounds(1)
  host.disks = () => Promise.resolve()
  await host.rounds(6, { ...SILENT, ...GATEWAY_UP })
  expect(host.disk.meta?.leader).toBe('h1')
})

test('a follower whose copy is not whole says so, whatever it has settled: nobody pairs with it (A3)', async () => {
  // srsubstate i or d, and no slot of a copy at the leader: its making fails, or has not begun. The apply
  // worker streams meanwhile, skips the table's changes, and confirms them.
  const meta = pairMeta({ mode: 'alone' })
  const half = await follower({ meta })
  await half.rounds(2, { ...answers({ meta }), ...following('h2_1_1', { ready: false }) })
  const { settled, whole } = half.core.status()
  expect({ settled, whole }).toEqual({ settled: true, whole: false })
  const host = await leader({ meta })
  host.converges = { pair: () => DONE }
  await host.rounds(3, { ...answers({ meta, whole }), ...leading() })
  expect(host.log).toEqual([])
  await host.rounds(1, answers({ meta }))
  expect(host.log[0]).toBe('converge pair')
})

test('a follower that was found to be no copy is no copy to the next agent either: it is not paired with, and copies (A7)', async () => {
  const meta = pairMeta({ term: 3, mode: 'alone' })
  const host = await leader({ meta })
  host.converges = { role: () => DONE, pair: () => DONE }
  host.core.desk.followerDiffers('h2_1_1')
  await host.reboot()
  await host.rounds(5, { ...GATEWAY_UP, ...answers({ meta, whole: true }), ...leading() })
  expect(host.log).toContain('meta 4/1 alone h1 h2_1_2')
  expect(host.log).not.toContain('converge pair')
})
