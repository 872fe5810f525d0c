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
const ALONE = pairMeta({ mode: 'alone', term: 3 })
const PROMOTED = pairMeta({ mode: 'alone', term: 3, branch: 3, leader: 'h2', slot: 'h1_3_1' })

/** An API server answers reads. */
const READ = { ...DONE, registered: { reads: { changed: true, skipped: false, failed: false } } }

async function boot(...[self, disk, policy]: ConstructorParameters<typeof ScriptedHost>) {
  const host = new ScriptedHost(self, disk, policy)
  host.converges = { impair: () => DONE, role: () => DONE, reads: () => READ }
  await host.core.start()
  return host
}

test('a paired leader that boots alone is fenced, and waits for its peer (A5)', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(20, { ...GATEWAY_UP, ...SILENT, ...leading() })
  const waits = ['converge impair urgent', 'converge reads']
  expect(host.log).toEqual(waits)
  expect(host.rule).toBe('unproven-wait')
  expect(host.core.facts().reads).toBe('served')
  await host.rounds(2, answers({ meta: META }))
  expect(host.log).toEqual([...waits, 'converge role urgent'])
  expect(host.core.status()).toMatchObject({ impaired: false, settled: true })
})

test('what answers reads is ended before a waiting leader follows one that went on (A8)', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(20, { ...GATEWAY_UP, ...SILENT, ...leading() })
  host.log.length = 0
  await host.rounds(1, answers({ meta: PROMOTED }))
  expect(host.log.slice(0, 2)).toEqual(['meta 3/3 alone h2 h1_3_1', 'kine is killed'])
})

test('an API server of reads that does not come up is tried again after a minute, and not said to answer (A5)', async () => {
  const host = await boot('h1', { meta: META })
  host.converges = { ...host.converges, reads: () => FAILED }
  const tries = () => host.log.filter((line) => line === 'converge reads').length
  await host.rounds(30, { ...GATEWAY_UP, ...SILENT, ...leading() })
  expect([tries(), host.core.facts().reads]).toEqual([1, 'not-served'])
  await host.rounds(60)
  expect(tries()).toBe(2)
})

test('a leader that has served since its boot is not read while it waits: its k3s goes on, and its pods (A5)', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(3, { ...GATEWAY_UP, ...answers({ meta: META }), ...leading() })
  await host.rounds(20, { ...GATEWAY_LOST, ...SILENT, ...leading() })
  expect(host.rule).toBe('unproven-wait')
  expect(host.log).toEqual(['converge role', 'converge impair urgent'])
})

test('a paired leader that boots beside its follower is never fenced: nothing higher is there (B8)', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...leading() })
  expect(host.log).toEqual(['converge role'])
})

test('an upgrade that starts both agents anew fences nobody: the peer is late by two looks at most', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(2, { ...GATEWAY_UP, ...SILENT, ...leading() })
  expect(host.log).toEqual([])
  await host.rounds(1, answers({ meta: META }))
  expect(host.log).toEqual(['converge role'])
})

test('an old leader that boots beside the promoted one follows at once', async () => {
  const host = await boot('h1', { meta: META })
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: PROMOTED }), ...leading() })
  const stopped = 'kine is killed'
  expect(host.log).toEqual(['meta 3/3 alone h2 h1_3_1', stopped, 'converge role urgent'])
})

test('a leader recorded alone leads at boot, whoever is silent (A5)', async () => {
  const host = await boot('h1', { meta: ALONE })
  await host.rounds(3, { ...GATEWAY_LOST, ...SILENT, ...leading({ synchronous: false }) })
  expect(host.log).toEqual(['converge role'])
})

test('where loss is accepted a record of mode alone proves nothing until gateway or peer answer', async () => {
  const policy = { partition: 'availability', acceptLossBytes: 1 } as const
  const host = await boot('h1', { meta: ALONE }, policy)
  await host.rounds(5, { ...GATEWAY_LOST, ...SILENT, ...leading() })
  expect(host.rule).toBe('unproven-wait')
  await host.rounds(2, GATEWAY_UP)
  expect(host.core.status().impaired).toBe(false)
})

test('an operator overrides: promote --force leads alone whatever the peer may have (A5)', async () => {
  const host = await boot('h1', { meta: META })
  host.converges = { ...host.converges, alone: () => DONE }
  await host.rounds(5, { ...GATEWAY_UP, ...SILENT, ...leading() })
  const answer = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(3)
  expect(await answer).toMatchObject({ ok: true, rule: 'forced-lead' })
  expect(host.log.slice(2)).toEqual([
    'meta 3/1 alone h1 h2_1_1',
    'converge alone urgent',
    'converge role urgent',
  ])
})

test('a leader whose newest hostMeta is torn believes no older mode: it goes alone, void first', async () => {
  const host = await boot('h1', { meta: META, fault: 'it is torn' })
  host.converges = { ...host.converges, alone: () => DONE }
  host.voids = () => true
  expect(host.notes).toContainEqual({ kind: 'fault', what: 'hostMeta', message: 'it is torn' })
  await host.rounds(1, { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...leading() })
  expect(host.log).toEqual([
    'peer voids 2: yes',
    'meta 3/1 alone h1 h2_1_1',
    'converge alone urgent',
  ])
})

test('without any hostMeta a host waits, and takes that of its peer', async () => {
  const host = await boot('h2', { meta: null, fault: 'it is empty' })
  await host.rounds(2, { ...GATEWAY_UP, ...SILENT, ...following('h2_1_1') })
  expect(host.rule).toBe('no-meta')
  await host.rounds(1, answers({ meta: META }))
  expect(host.log).toEqual(['meta 2/1 paired h1 h2_1_1', 'converge role'])
})

test("a laptop's record counts while the agent runs, if it is higher: the first hostMeta, and the first pairing", async () => {
  const host = await boot('h1', { meta: null })
  const first = pairMeta({ term: 1, mode: 'alone' })
  host.disk.meta = first
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: first }), ...leading() })
  expect(host.core.facts().meta).toEqual(first)
  host.disk.meta = META
  await host.rounds(2)
  expect(host.core.facts().meta).toEqual(META)
  expect(host.notes.filter(({ kind }) => kind === 'meta')).toHaveLength(2)
})

test('a hostMeta of before that somebody put back undoes nothing; one with other addresses waits for the site file', async () => {
  const host = await boot('h1', { meta: META })
  const seen = { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...leading() }
  const hosts = META.hosts.map((entry) => ({ ...entry, address: `${entry.address}0` }))
  for (const meta of [pairMeta({ term: 1, mode: 'alone' }), { ...META, hosts }]) {
    host.disk.meta = meta
    await host.rounds(3, seen)
    expect(host.core.facts().meta).toEqual(META)
  }
})

test('a host that never belonged to a pair does nothing, whatever it is told', async () => {
  const host = await boot('h2', { meta: null, initialised: false })
  await host.rounds(5, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  expect(host.log).toEqual([])
  expect(await host.core.onVoidProof(2)).toBe(false)
})

test('a host that was replaced stands down (B10)', async () => {
  const host = await boot('h2', { meta: META })
  const hosts = META.hosts.map((entry) =>
    entry.name === 'h2' ? { ...entry, name: 'h3', address: '10.77.0.13' } : entry,
  )
  const replaced = pairMeta({ mode: 'alone', term: 4, hosts, slot: 'h3_1_2' })
  await host.rounds(3, { ...GATEWAY_UP, ...answers({ meta: replaced }), ...following('h2_1_1') })
  expect(host.log).toEqual(['meta 4/1 alone h1 h3_1_2', 'converge impair urgent'])
  expect(host.rule).toBe('stood-down')
})

test('a slow boot of PostgreSQL is no reason to yield', async () => {
  const host = await boot('h1', { meta: META })
  host.converges = { role: () => FAILED }
  await host.rounds(20, {
    ...GATEWAY_UP,
    ...answers({ meta: META, proofTerm: 2 }),
    postgres: { up: false, starting: false, why: 'connection refused' },
  })
  expect(host.log.filter((line) => line !== 'converge role')).toEqual([])
})
