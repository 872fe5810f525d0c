import { EventEmitter, once } from 'node:events'
import { expect, test, vi } from 'vitest'
import {
  answers,
  following,
  GATEWAY_LOST,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import type { HandOverAnswer } from '../../src/agent/ports.ts'
import { DONE, FAILED, ScriptedHost } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'

const META = pairMeta()
const ALONE = pairMeta({ mode: 'alone', term: 3 })

test('a leader that is cut off stops within the fence time, and recovers when the peer has nothing higher', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE, role: () => DONE }
  await host.rounds(3, { ...GATEWAY_LOST, ...SILENT })
  expect(host.log).toEqual(['converge impair urgent'])
  await host.rounds(1, { ...GATEWAY_UP, ...answers({ meta: META }) })
  expect(host.log.slice(1)).toEqual(['converge role urgent'])
})

test('a leader that is alone serves on when it is cut off: nobody has a proof (B6)', async () => {
  const host = await leader({ meta: ALONE })
  await host.rounds(10, { ...GATEWAY_LOST, ...SILENT, ...leading({ synchronous: false }) })
  expect(host.log).toEqual([])
})

test('a leader that waits for k3s still sees that it was cut off, and stops', async () => {
  const host = await leader()
  await host.core.idle()
  // The peer has the same, but for the fork point: adopting is a long converge.
  const forked = pairMeta({ fork: null, slot: 'h2_1_2' })
  host.converges = {
    impair: () => DONE,
    role: async (_meta, stop) => {
      await new Promise((resolve) => stop.addEventListener('abort', resolve))
      return { kind: 'stopped' }
    },
  }
  host.sighting = { ...host.sighting, ...answers({ meta: { ...forked, term: 3 } }) }
  host.clock.move(1000)
  await host.core.round()
  await vi.waitFor(() => expect(host.log).toHaveLength(2))
  expect(host.log).toEqual(['meta 3/1 paired h1 h2_1_2', 'converge role urgent'])
  host.sighting = { ...host.sighting, ...SILENT, ...GATEWAY_LOST }
  for (let round = 0; round < 3; round++) {
    host.clock.move(1000)
    await host.core.round()
  }
  await host.core.idle()
  expect(host.log.at(-1)).toBe('converge impair urgent')
})

test('a late round kills kine before anything else, and what was seen before it counts for nothing (A8)', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE, role: () => DONE }
  host.clock.move(30_000)
  await host.rounds(1, SILENT)
  expect(host.log[0]).toBe('converge impair urgent')
  expect(host.notes.find((note) => note.kind === 'fault')).toMatchObject({ what: 'late' })
  await host.rounds(2)
  expect(host.rule).toBe('unproven-wait')
})

test('a follower that was frozen does not take the silence of its sleep for that of the leader', async () => {
  const host = await follower()
  host.clock.move(30_000)
  await host.rounds(3, SILENT)
  expect(host.rule).toBe('steady')
  await host.rounds(10)
  expect(host.rule).toBe('no-proof')
})

test('a follower whose leader has asked it since counts its silence from that question', async () => {
  const host = await follower()
  host.converges = { role: () => DONE }
  await host.rounds(3, { ...GATEWAY_UP, ...SILENT })
  host.core.onStatus()
  await host.rounds(3, { ...GATEWAY_UP, ...SILENT })
  expect(host.log).toEqual([])
  await host.rounds(2, { ...GATEWAY_UP, ...SILENT })
  expect(host.log[0]).toMatch(/^meta 3\/3 alone h2/)
})

test('a leader that is asked by its follower stops no later for it', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  await host.rounds(2, { ...GATEWAY_LOST, ...SILENT })
  host.core.onStatus()
  await host.rounds(1, { ...GATEWAY_LOST, ...SILENT })
  expect(host.log).toEqual(['converge impair urgent'])
})

test('a paused follower does not promote; resumed it does', async () => {
  const host = await follower({ paused: true })
  host.converges = { role: () => DONE }
  await host.rounds(8, SILENT)
  expect(host.rule).toBe('paused')
  host.disk.paused = false
  await host.rounds(1)
  expect(host.log[0]).toBe('meta 3/3 alone h2 h1_3_1')
})

test('a void that comes while the promotion is being written is answered no', async () => {
  const host = await follower()
  const disk = new EventEmitter()
  host.disks = async (line) => {
    if (!line.startsWith('meta')) return
    const free = once(disk, 'free')
    disk.emit('busy')
    await free
  }
  const writing = once(disk, 'busy')
  host.sighting = { ...host.sighting, ...SILENT }
  for (let round = 0; round < 5; round++) {
    host.clock.move(1000)
    await host.core.round()
  }
  await writing
  const voided = host.core.onVoidProof(2)
  disk.emit('free')
  expect(await voided).toBe(false)
  await host.core.idle()
  expect(host.disk).toMatchObject({ meta: { leader: 'h2' }, proof: { term: 2, voided: 0 } })
})

test('a void that is on the disk is never followed by a promotion of that term', async () => {
  const host = await follower()
  host.sighting = { ...host.sighting, ...SILENT }
  for (let round = 0; round < 4; round++) {
    host.clock.move(1000)
    await host.core.round()
  }
  expect(await host.core.onVoidProof(2)).toBe(true)
  await host.rounds(10)
  expect(host.log).toEqual(['proof 0, voided 2'])
  await host.rounds(3, answers({ meta: META }))
  expect(host.log, 'a voided term is never proven again').toEqual(['proof 0, voided 2'])
})

test('a disk that takes no void acknowledges none, and the proof is void as soon as it takes one (B7)', async () => {
  const host = await follower()
  host.disks = () => Promise.reject(new Error('no space left on device'))
  expect(await host.core.onVoidProof(2)).toBe(false)
  expect(host.core.status().proofTerm, 'the leader may go alone all the same').toBeNull()
  await host.rounds(3)
  expect(host.core.status(), 'it says "paired" again').toMatchObject({ proofTerm: null, voided: 0 })
  expect(host.notes.filter(({ kind }) => kind === 'fault')).toHaveLength(1)
  host.disks = () => Promise.resolve()
  await host.rounds(1)
  expect(host.core.status()).toMatchObject({ proofTerm: null, voided: 2 })
})

test('a disk that takes no hostMeta keeps a follower a follower, with one clear fault', async () => {
  const host = await follower()
  host.disks = () => Promise.reject(new Error('no space left on device'))
  await host.rounds(5, SILENT)
  expect(host.core.status().meta).toEqual(META)
  const faults = host.notes.filter((note) => note.kind === 'fault')
  expect(faults).toEqual([{ kind: 'fault', what: 'promote', message: 'no space left on device' }])
})

test('a replaced leader whose disk takes no hostMeta stops all the same', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  host.disks = () => Promise.reject(new Error('no space left on device'))
  const promoted = pairMeta({ term: 3, branch: 3, leader: 'h2', mode: 'alone' })
  await host.rounds(1, answers({ meta: promoted }))
  expect(host.log).toEqual(['converge impair urgent'])
})

test('a leader whose PostgreSQL is dead stands still, then asks its peer to promote', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  host.handOvers = () => ({ ok: true })
  const down = { up: false, starting: false, why: 'connection refused' } as const
  await host.rounds(6, { postgres: down })
  expect(host.log, 'a restart takes its time').toEqual([])
  await host.rounds(2)
  expect(host.log).toEqual(['converge impair urgent', 'hand-over: yield 2'])
  await host.rounds(1, leading())
  expect(host.log.length, 'what was promised is not taken back at once').toBe(2)
})

test('a leader that can not even be fenced yields all the same, and is not settled meanwhile', async () => {
  const host = await leader()
  host.converges = { impair: () => FAILED, role: () => DONE }
  host.handOvers = () => ({ ok: true })
  await host.rounds(8, { postgres: { up: false, starting: false, why: 'connection refused' } })
  expect(host.log).toEqual(['converge impair urgent', 'hand-over: yield 2'])
  await host.rounds(8, leading())
  expect(host.log.length).toBe(2)
  await host.rounds(4)
  expect(host.log.at(-1), 'the peer has not promoted').toBe('converge role urgent')
})

test('a leader whose peer refuses the lead asks again each round: nobody serves meanwhile', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  const answers: HandOverAnswer[] = [
    { ok: false, why: 'it does not see the gateway', follows: true },
    { ok: false, why: 'no answer within 1000 ms', heard: false },
  ]
  host.handOvers = () => answers.shift() ?? { ok: true }
  host.disks = () => Promise.reject(new Error('no space left on device'))
  const full = { disk: { writable: false, freeBytes: 0 } }
  await host.rounds(3, full)
  expect(host.log.filter((line) => line === 'hand-over: yield 2').length).toBe(2)
  await host.rounds(6)
  expect(host.log.length, 'who gave no answer may be promoting').toBe(3)
})

test('a follower promotes for a leader that yields, and refuses without a proof', async () => {
  const host = await follower()
  host.converges = { role: () => DONE }
  expect(await host.core.onHandOver({ phase: 'yield', term: 1 })).toMatchObject({ ok: false })
  expect(await host.core.onHandOver({ phase: 'yield', term: 2 })).toEqual({ ok: true })
  expect(host.rule, 'no look that may miss a probe comes first').toBe('leader-yields')
  await host.core.idle()
  expect(host.disk.meta?.leader).toBe('h2')
  const unproven = new ScriptedHost('h2', { meta: META })
  await unproven.core.start()
  expect(await unproven.core.onHandOver({ phase: 'yield', term: 2 })).toMatchObject({ ok: false })
})

test('a slot that is gone is made under another name, and never again under its own (B3)', async () => {
  const host = await leader({ meta: ALONE })
  await host.rounds(1, { ...SILENT, ...leading({ slot: 'missing', streaming: false }) })
  expect(host.log).toEqual(['meta 4/1 alone h1 h2_1_2', 'converge role'])
})

test('a follower that is stuck says so, and gets another slot and a copy (B3)', async () => {
  const host = await follower()
  for (let errors = 1; errors <= 22; errors++)
    await host.rounds(1, following('h2_1_1', { errors, workerAlive: false }))
  expect(host.core.status().lacksSlot).toBe(true)
  await host.rounds(7, following('h2_1_1', { errors: 22 }))
  expect(host.core.status().lacksSlot, 'it went on by itself').toBe(false)
})

test('a promotion that fails half-way is tried again at once, then in each round', async () => {
  const host = await follower()
  host.converges = { role: () => FAILED }
  await host.rounds(5, SILENT)
  await host.rounds(3)
  expect(host.log).toEqual([
    'meta 3/3 alone h2 h1_3_1',
    'converge role urgent',
    'converge role urgent',
    'converge role urgent',
    'converge role urgent',
  ])
  host.converges = { role: () => DONE }
  await host.rounds(1)
  expect(host.core.status().settled).toBe(true)
})

test('after six changes in an hour the pair is frozen, and says so; an operator thaws it', async () => {
  const wall = Date.parse(new ScriptedHost('h2', {}).clock.wallTime())
  const changes = [1, 2, 3, 4, 5, 6].map((minute) => wall - minute * 60_000)
  const host = await follower({ changes })
  expect(host.core.status().frozen).toBe(true)
  await host.rounds(8, SILENT)
  expect(host.rule).toBe('frozen')
  const answer = host.core.ask({ kind: 'thaw' })
  await host.rounds(2)
  expect(await answer).toMatchObject({ ok: true })
  expect(host.rule).toBe('promote')
})

test('a follower in the middle of its copy does not lead by force: its table is empty, and the whole one is aside (A3)', async () => {
  const host = await follower({ meta: pairMeta({ mode: 'alone' }) })
  await host.rounds(6, { ...SILENT, ...following('h2_1_1', { ready: false }) })
  const asked = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(1)
  expect(await asked).toMatchObject({
    ok: false,
    rule: 'half-copy',
    why: expect.stringContaining('twonode_branch_'),
  })
  expect(host.disk.meta?.leader).toBe('h1')
})
