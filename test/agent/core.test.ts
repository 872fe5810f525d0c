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
import { DONE, FAILED, ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()
const FORK = {
  from: 1,
  slot: 'h2_1_1',
  lsn: '0/1',
  count: 1,
  sum: '1',
  max: 1,
  compactRevision: 0,
}
const FORKED = { kind: 'done', changed: 1, registered: { fork: { fork: FORK } } } as const

/** h2 follows h1 and has its proof. */
async function follower(more: ConstructorParameters<typeof ScriptedHost>[1] = {}) {
  const host = new ScriptedHost('h2', { meta: META, ...more })
  host.converges = { role: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  return host
}

/** h1 leads h2, which follows and has its proof; in `rounds` rounds it settles, and sees that h2 has caught up. */
async function leader(more: ConstructorParameters<typeof ScriptedHost>[1] = {}, rounds = 2) {
  const meta = more.meta ?? META
  const host = new ScriptedHost('h1', { meta, ...more })
  host.converges = { role: () => DONE }
  await host.core.start()
  const proofTerm = meta?.mode === 'paired' ? meta.term : null
  await host.rounds(rounds, { ...GATEWAY_UP, ...answers({ meta, proofTerm }), ...leading() })
  host.log.length = 0
  return host
}

test('a follower stores its proof only after the leader has said "paired" for its term (A3)', async () => {
  const host = new ScriptedHost('h2', { meta: META })
  host.converges = { role: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...SILENT, ...following('h2_1_1') })
  expect(host.disk.proof.term).toBe(0)
  await host.rounds(1, answers({ meta: META }))
  expect(host.disk.proof).toEqual({ term: 2, voided: 0 })
  expect(host.core.status().proofTerm).toBe(2)
})

test('the leader is powered off: its follower promotes after the promote time and not before', async () => {
  const host = await follower()
  host.log.length = 0
  host.converges = { role: () => FORKED }
  await host.rounds(4, SILENT)
  expect(host.log, 'four rounds: the fourth is not over yet').toEqual([])
  await host.rounds(1)
  expect(host.rule).toBe('promote')
  expect(host.log).toEqual([
    'meta 3/3 alone h2 h1_3_1',
    'converge role urgent',
    'meta 3/3 alone h2 h1_3_1 forked',
  ])
  await host.rounds(1)
  expect(host.core.status()).toMatchObject({ settled: true, impaired: false })
})

test('a follower that is cut off from everything never promotes (B6)', async () => {
  const host = await follower()
  host.log.length = 0
  await host.rounds(10, { ...SILENT, ...GATEWAY_LOST })
  expect(host.rule).toBe('isolated')
  await host.rounds(10, GATEWAY_UP)
  expect(host.rule, 'the leader may have gone alone meanwhile').toBe('no-proof')
  expect(host.log).toEqual([])
  await host.rounds(1, answers({ meta: META }))
  expect(host.core.status().proofTerm, 'the leader has answered again').toBe(2)
})

test('a proof does not count after a restart until the leader has said it again (A3)', async () => {
  const host = await follower()
  await host.reboot()
  await host.rounds(10, SILENT)
  expect(host.rule).toBe('no-proof')
  expect(host.disk.meta).toEqual(META)
})

test('the follower is powered off: the leader records "alone" before it releases the commits (B7)', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE }
  await host.rounds(1, {
    ...SILENT,
    ...leading({ oldestWaitMs: 900, slot: 'idle', streaming: false }),
  })
  await host.rounds(1, leading({ oldestWaitMs: 1900, slot: 'idle', streaming: false }))
  expect(host.log).toEqual(['meta 3/1 alone h1 h2_1_1', 'converge alone urgent'])
  await host.rounds(5, leading({ synchronous: false, slot: 'idle', streaming: false }))
  expect(host.rule).toBe('steady')
})

test('a follower that answers voids its proof before the leader goes alone (B7)', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE }
  host.voids = () => true
  await host.rounds(1, leading({ oldestWaitMs: 1600 }))
  expect(host.log).toEqual([
    'peer voids 2: yes',
    'meta 3/1 alone h1 h2_1_1',
    'converge alone urgent',
  ])
})

test('without the acknowledged void nothing is written; refused for the fence time it is no veto', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE }
  host.voids = () => false
  await host.rounds(3, leading({ oldestWaitMs: 1600 }))
  expect(host.log).toEqual(['peer voids 2: no', 'peer voids 2: no', 'peer voids 2: no'])
  await host.rounds(1)
  expect(host.rule).toBe('go-alone')
  expect(host.disk.meta?.mode).toBe('alone')
})

test('alone, with a follower that has caught up: paired is written after everything else (A3)', async () => {
  const meta = pairMeta({ mode: 'alone', term: 3 })
  const host = await leader({ meta }, 1)
  host.converges = { pair: () => DONE }
  await host.rounds(1)
  expect(host.log).toEqual(['converge pair', 'meta 4/1 paired h1 h2_1_1'])
  expect(host.core.status().settled).toBe(true)
})

test('alone, whose commits wait all the same, releases them, also when their clients give up before 1.5 s', async () => {
  const host = await leader({ meta: pairMeta({ mode: 'alone', term: 3 }) }, 1)
  host.converges = { alone: () => DONE }
  const given = { slot: 'idle', streaming: false, flushedBytes: null } as const
  await host.rounds(1, { ...SILENT, ...leading({ ...given, oldestWaitMs: 900 }) })
  expect(host.log).toEqual([])
  await host.rounds(1, leading({ ...given, oldestWaitMs: 300 }))
  expect(host.log).toEqual(['converge alone urgent'])
  // No reader will ever flush beyond what was released.
  await host.rounds(3, leading({ ...given, synchronous: false }))
  expect(host.log).toEqual(['converge alone urgent'])
})

test('pairing that fails is undone: a leader that is alone waits for nobody', async () => {
  const host = await leader({ meta: pairMeta({ mode: 'alone', term: 3 }) }, 1)
  host.converges = { pair: () => FAILED, alone: () => DONE, role: () => DONE }
  await host.rounds(1)
  expect(host.log).toEqual(['converge pair', 'converge alone urgent'])
  expect(host.disk.meta?.mode).toBe('alone')
})
