import { EventEmitter, once } from 'node:events'
import { expect, test } from 'vitest'
import type { HandOverRequest } from '../../src/agent/ports.ts'
import {
  answers,
  following,
  GATEWAY_LOST,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { DONE, FAILED, untilStopped } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'

const META = pairMeta()
const FREE = { disk: { writable: true, freeBytes: 1e10 } }
const DIGEST = {
  kind: 'done',
  changed: 0,
  registered: { digest: { digest: 'abc' } },
} as const
const OURS = 'abc'

/** What a well follower answers to each phase. */
function agreeable(request: HandOverRequest) {
  return request.phase === 'digest' ? { ok: true as const, digest: OURS } : { ok: true as const }
}

async function handingOver() {
  const host = await leader()
  host.converges = { handover: () => DONE, digest: () => DIGEST, role: () => DONE }
  host.handOvers = agreeable
  return host
}

test('a leader without gateway hands over to a peer that has one, in the order of A7', async () => {
  const host = await handingOver()
  await host.rounds(3, GATEWAY_LOST)
  expect(host.log).toEqual([
    'hand-over: prepare 2',
    'converge handover urgent',
    'hand-over: digest 2',
    'converge digest urgent',
    'meta 3/3 alone h2 h1_3_1',
    'hand-over: take 3',
  ])
  await host.rounds(1)
  expect(host.log.at(-1)).toBe('converge role urgent')
})

test.each([
  ['prepare', ['hand-over: prepare 2', 'hand-over: cancel 2']],
  [
    'digest',
    [
      'hand-over: prepare 2',
      'converge handover urgent',
      'hand-over: digest 2',
      'converge digest urgent',
      'hand-over: cancel 2',
      'converge role urgent',
    ],
  ],
] as const)(
  'a hand-over whose %s is refused leaves the leader leading (A7)',
  async (phase, log) => {
    const host = await handingOver()
    host.handOvers = (request) =>
      request.phase === phase ? { ok: false, why: 'it can not' } : agreeable(request)
    await host.rounds(4, GATEWAY_LOST)
    expect(host.log).toEqual(log)
    expect(host.disk.meta).toEqual(META)
  },
)

test.each([
  ['this host does not stand still', { handover: () => FAILED }],
  ['this host has no digest', { digest: () => DONE }],
])('a hand-over is undone when %s (A7)', async (_, converges) => {
  const host = await handingOver()
  host.converges = { ...host.converges, ...converges }
  await host.rounds(4, GATEWAY_LOST)
  expect(host.disk.meta).toEqual(META)
  expect(host.log.slice(-2)).toEqual(['hand-over: cancel 2', 'converge role urgent'])
})

test('31: a follower whose digest is another one is no copy: it gives up its proof, its leader goes alone and gives it another slot (A7, B3)', async () => {
  const host = await handingOver()
  const other = { ...DIGEST, registered: { digest: { digest: 'x' } } }
  host.converges = { ...host.converges, digest: () => other, alone: () => DONE }
  host.voids = () => true
  await host.rounds(5, GATEWAY_LOST)
  const at = host.log.indexOf('hand-over: cancel 2')
  expect(host.log.slice(at + 1)).toEqual([
    'peer voids 2: yes',
    'meta 3/1 alone h1 h2_1_1',
    'converge alone urgent',
    'converge role urgent',
  ])
  const { meta } = host.disk
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta, proofTerm: null }), ...leading() })
  expect(host.log.slice(at + 5)).toEqual(['meta 4/1 alone h1 h2_1_2', 'converge role'])
})

const tries = (log: readonly string[]) =>
  log.filter((line) => line.startsWith('hand-over: prepare')).length

test('a hand-over that fails for a lasting reason stops both kines ever less often, and says when again (B6)', async () => {
  const host = await handingOver()
  host.converges = { ...host.converges, digest: () => DONE }
  await host.rounds(6, GATEWAY_LOST)
  expect([tries(host.log), host.rule]).toEqual([1, 'hand-over-waits'])
  expect(host.core.facts()).toMatchObject({ handOverPutOff: true, settled: 'yes' })
  await host.rounds(3594)
  // After 10, 20, 40, 80 and 160 s, and then every 320 s.
  expect(tries(host.log)).toBe(16)
  expect(host.disk.meta).toEqual(META)
  const told = host.notes.flatMap((note) => (note.kind === 'fault' ? [note.message] : []))
  expect(told.slice(0, 2)).toEqual([
    'this host has no digest; failed once, the next attempt is in 10 s or later',
    'this host has no digest; failed 2 times, the next attempt is in 20 s or later',
  ])
  // Whoever is asked by an operator tries at once.
  const before = tries(host.log)
  host.converges = { ...host.converges, digest: () => DIGEST }
  const asked = host.core.ask({ kind: 'switchover' })
  await host.rounds(1)
  expect(await asked).toMatchObject({ ok: true, rule: 'switchover' })
  expect([tries(host.log) - before, host.disk.meta?.leader]).toEqual([1, 'h2'])
})

test('what failed long ago, or was refused before kine stood still, puts no hand-over off', async () => {
  const host = await handingOver()
  host.handOvers = () => ({ ok: false, why: 'its disk is full' })
  await host.rounds(60, GATEWAY_LOST)
  expect(tries(host.log)).toBe(6)
  host.handOvers = agreeable
  host.converges = { ...host.converges, digest: () => DONE }
  await host.rounds(120)
  await host.rounds(600, GATEWAY_UP)
  host.log.length = 0
  await host.rounds(18, GATEWAY_LOST)
  expect(tries(host.log)).toBe(2)
})

test('a switchover that is asked for goes on through a pause; a second request waits its turn', async () => {
  const host = await handingOver()
  host.disk.paused = true
  const answer = host.core.ask({ kind: 'switchover' })
  expect(await host.core.ask({ kind: 'thaw' })).toMatchObject({ ok: false })
  await host.rounds(1)
  expect(await answer).toMatchObject({ ok: true, rule: 'switchover' })
  expect(host.disk.meta?.leader).toBe('h2')
})

test("kine's permit that a hand-over takes away is no fault", async () => {
  const host = await handingOver()
  const counting = new EventEmitter()
  host.converges = {
    ...host.converges,
    handover: () => {
      host.permitted = false
      return DONE
    },
  }
  host.handOvers = async (request) => {
    if (request.phase === 'digest') await once(counting, 'end')
    return agreeable(request)
  }
  void host.core.ask({ kind: 'switchover' })
  for (let i = 0; i < 4; i++) {
    host.clock.move(1000)
    await host.core.round()
  }
  expect(host.permitted).toBe(false)
  expect(host.notes.filter(({ kind }) => kind === 'fault')).toEqual([])
  counting.emit('end')
  await host.core.idle()
  expect(host.disk.meta?.leader).toBe('h2')
})

test('a hand-over that a lost follower cuts short leaves no leader without kine: the role is converged (A7, B7)', async () => {
  const host = await leader()
  host.handOvers = agreeable
  host.converges = {
    // Killing kine has been done; the rest waits for the follower, until something is more pressing.
    handover: untilStopped,
    alone: () => DONE,
    role: () => DONE,
  }
  const asked = host.core.ask({ kind: 'switchover' })
  host.clock.move(1000)
  await host.core.round()
  expect(await asked).toMatchObject({ ok: true })
  const nobodyReads = leading({ slot: 'idle', streaming: false, flushedBytes: null })
  host.sighting = { ...host.sighting, ...SILENT, ...nobodyReads }
  for (let i = 0; i < 5 && host.disk.meta?.mode === 'paired'; i++) {
    host.clock.move(1000)
    await host.core.round()
  }
  await host.core.idle()
  expect(host.disk.meta?.mode).toBe('alone')
  await host.rounds(30)
  expect(host.log.filter((line) => line.startsWith('converge role'))).not.toEqual([])
})

const HANDED = pairMeta({ term: 3, branch: 3, mode: 'alone', leader: 'h2', began: 'handover' })

test.each([
  ['its disk is full', { disk: { writable: false, freeBytes: 0 } }],
  ['its PostgreSQL is dead', { postgres: { up: false, starting: false, why: 'refused' } }],
] as const)(
  'a follower that is handed the lead gives it back when %s, and does not take it up later (A7)',
  async (_, trouble) => {
    const host = await follower()
    host.handOvers = () => ({ ok: true })
    host.disks = () => Promise.reject(new Error('ENOSPC'))
    await host.rounds(1, { ...answers({ meta: HANDED }), ...trouble })
    expect(host.log).toContain('hand-over: back 3')
    // The old leader is about to promote, and dies: what it writes until then is not here.
    host.disks = () => Promise.resolve()
    await host.rounds(6, { ...SILENT, ...GATEWAY_UP, ...following('h2_1_1'), ...FREE })
    expect(host.disk.meta?.leader).toBe('h1')
  },
)

test.each([
  ['refused in words', { ok: false, why: 'its disk is full' }, 'h2'],
  ['not answered', { ok: false, why: 'no answer', heard: false }, 'h1'],
] as const)(
  'a lead that can not be given back, %s, is taken up only if the peer can not have it (A7)',
  async (_, answer, leads) => {
    const host = await follower()
    host.handOvers = () => answer
    host.disks = () => Promise.reject(new Error('ENOSPC'))
    await host.rounds(2, answers({ meta: HANDED }))
    host.disks = () => Promise.resolve()
    await host.rounds(2)
    expect(host.disk.meta?.leader).toBe(leads)
  },
)

test('a leader that handed over takes the lead back when it is given, and not what it did not hand over (A7)', async () => {
  const host = await follower({ meta: { ...HANDED, leader: 'h1' } })
  await expect(host.core.onHandOver({ phase: 'back', term: 2 })).resolves.toMatchObject({
    ok: false,
  })
  await expect(host.core.onHandOver({ phase: 'back', term: 3 })).resolves.toEqual({ ok: true })
  await host.rounds(1)
  expect(host.log[0]).toBe('meta 4/4 alone h2 h1_4_1')
  const other = await follower()
  await expect(other.core.onHandOver({ phase: 'back', term: 2 })).resolves.toMatchObject({
    ok: false,
  })
})
