import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSiteSecrets } from '../../src/host/site_secrets.ts'
import { leading, SILENT } from '../support/agent_sightings.ts'
import { planOf } from '../support/engine_run.ts'
import { DONE } from '../support/scripted_agent.ts'
import { ControlBench, withRounds } from './support/control_agent.ts'

let bench: ControlBench
beforeEach(() => {
  bench = new ControlBench()
})
afterEach(async () => await bench.close())

const agentOf = async (self: 'h1' | 'h2') => await bench.agentOf(self)
const twonode = async (...words: readonly string[]) => await bench.twonode(...words)

test('status says what this host is, and what it sees', async () => {
  await agentOf('h1')
  expect(JSON.parse(await twonode('status', '--json'))).toMatchObject({
    host: 'h1',
    role: 'leader',
    term: 2,
    mode: 'paired',
    peer: 'answers',
    settled: 'yes',
    followersSlot: 'h2_1_1',
  })
  expect(await twonode('status')).toMatch(
    /^h1: well: it leads, and every acknowledged write is on both hosts\nrole +leader$/m,
  )
})

test('status says by which site it goes, and that another one is here, with what keeps it from that', async () => {
  await agentOf('h1')
  const { bundle, version } = planOf([])
  const current = { bundle, version, siteReplaced: false, siteRefused: null }
  expect(await bench.status()).toMatchObject(current)
  expect(await twonode('status')).not.toContain('replaced')
  bench.isReplaced = true
  expect(await bench.status()).toMatchObject({ siteReplaced: true, siteRefused: null })
  expect(await twonode('status')).toMatch(/^note +the site on this host was replaced: it is about/m)
  bench.faults.tell('site', 'the agent of the new site does not start: no memory')
  expect(await bench.status()).toMatchObject({ siteRefused: expect.stringContaining('no memory') })
  expect(await twonode('status')).toContain('does not start: no memory')
})

test("status says whether the peer's agent hears this one", async () => {
  const host = await agentOf('h2')
  expect((await bench.status())['peerAsks']).toBe(false)
  host.core.onStatus()
  expect((await bench.status())['peerAsks']).toBe(true)
  await host.rounds(10, SILENT)
  expect((await bench.status())['peerAsks']).toBe(false)
})

test('a timeline is both accounts in one; that of a peer that does not answer is missing', async () => {
  await agentOf('h1')
  bench.journal.note({ kind: 'meta', term: 3, branch: 3, mode: 'alone', leader: 'h1' })
  const words = 'hostMeta: h1 leads, term 3, branch 3, alone'
  expect(await twonode('timeline')).toBe(`2026-01-01 00:00:00.000  h1        ${words}\n`)
  const proof = { kind: 'proof', term: 2, voided: 2 }
  bench.peerSays = [{ at: '2025-12-31T23:59:59.000Z', host: 'h2', ...proof }]
  expect((await twonode('timeline')).split('\n')).toEqual([
    '2025-12-31 23:59:59.000  h2        proof: term 2, voided to 2',
    `2026-01-01 00:00:00.000  h1        ${words}`,
    '',
  ])
  expect(await twonode('timeline', '--own', '--lines', '1')).toContain(words)
})

test("the status of a follower that is well says so, and nothing that is a leader's", async () => {
  await agentOf('h2')
  const said = await twonode('status')
  expect(said).toMatch(
    /^h2: (well|settling): it follows h1, and could take over\nrole +follower of h1$/m,
  )
  expect(said).not.toMatch(/lost|missing|proven|slot/)
})

test('a request that the rules refuse ends with their reason; one that they take up has begun', async () => {
  const host = await agentOf('h2')
  await expect(withRounds(host, twonode('promote'))).rejects.toMatchObject({
    message: 'nothing is done: h1 leads, and answers',
    hint: '`twonode switchover` on h1 hands over.',
  })
  // Else it promotes itself while somebody reads what is at risk.
  host.disk.paused = true
  await host.rounds(1, SILENT)
  expect(await withRounds(host, twonode('promote', '--force'))).toMatch(
    /\nbegun: .*\(rule promote-forced\)\n$/,
  )
})

test.each([
  [
    'h2',
    'switchover',
    'this host follows: h1 leads',
    'Run it on h1 (10.77.0.11); or on a laptop `twonode switchover -i inventory.yaml`, which finds the leader.',
  ],
  ['h1', 'promote', 'h1 leads already', 'Nothing is to be done.'],
] as const)(
  'on %s a %s is refused with where to run it, or why not',
  async (self, command, message, hint) => {
    const host = await agentOf(self)
    const asked = withRounds(host, twonode(command))
    await expect(asked).rejects.toMatchObject({ message: `nothing is done: ${message}`, hint })
  },
)

const REPLACE = ['replace', '--for', 'h2', '--host', 'h3', '--address', '10.77.0.13'] as const

test('a peer that answers is not replaced; one that is silent is, once its leader is alone (B10)', async () => {
  const host = await agentOf('h1')
  await expect(twonode(...REPLACE)).rejects.toThrow('h2 is not replaced: h2 answers')
  host.converges = { ...host.converges, alone: () => DONE }
  const unread = { slot: 'idle', streaming: false, flushedBytes: null } as const
  await host.rounds(12, { ...SILENT, ...leading({ ...unread, oldestWaitMs: 9_000 }) })
  expect(host.disk.meta?.mode).toBe('alone')
  await host.rounds(3, leading({ ...unread, synchronous: false }))
  expect(await withRounds(host, twonode(...REPLACE))).toMatch(/^begun: .*\(rule replacement\)\n$/)
  await host.core.idle()
  expect(host.disk.meta).toMatchObject({ term: 4, mode: 'alone', slot: 'h3_1_2' })
  expect(host.disk.meta?.hosts[1]).toEqual({ name: 'h3', address: '10.77.0.13', role: 'follower' })
  await expect(twonode(...REPLACE.slice(0, 5), '--address', '10.77.0.14')).rejects.toThrow(
    "'h2' is not the peer of h1",
  )
  // Who was cut before the answer asks again.
  expect(await withRounds(host, twonode(...REPLACE))).toMatch(/^begun: /)
  await host.core.idle()
})

test('a join token is made on the leader, printed once, listed without its secret, and revoked', async () => {
  await agentOf('h1')
  await createSiteSecrets(bench.folder.path).make('ca', 'test')
  const [id = '', secret = ''] = (await twonode('token', 'create', '--ttl', '2h')).split('.')
  const list = await twonode('token', 'list')
  expect(list).toMatch(new RegExp(`^${id}  for h2  until \\S+  unused\n$`))
  expect(list).not.toContain(secret)
  expect(await twonode('token', 'revoke', id)).toBe(`revoked: ${id}\n`)
  expect(await twonode('token', 'list')).toBe('')
})

test.each([
  ['h2', ['create'], /^h2 leads nothing$/],
  ['h1', ['create', '--for', 'h9'], /^the one to replace is h2, the peer of h1$/],
  ['h1', ['create', '--ttl', 'long'], /valid for 1m to 168h/],
  ['h1', ['create', '--ttl', '169h'], /valid for 1m to 168h/],
  ['h1', ['revoke', '01234567'], /no valid join token of that id/],
  ['h1', ['make'], /created, listed or revoked/],
] as const)('on %s `token %s` is refused in words', async (self, words, message) => {
  await agentOf(self)
  await createSiteSecrets(bench.folder.path).make('ca', 'test')
  await expect(twonode('token', ...words)).rejects.toThrow(message)
})

test.each([
  ['an option', ['status', '--force'], "status: unknown option '--force'"],
  [
    'a word',
    ['replace', '--for', '--host', 'h3'],
    "argument '--host' is invalid. Its value is missing.",
  ],
  ['a number', ['timeline', '--lines', 'many'], '--lines takes a whole number from 1'],
  ['a command', ['converge'], 'there is no command converge on a host'],
])('%s that is none is refused before the agent is asked', async (_, words, message) => {
  await agentOf('h1')
  await bench.closeSocket()
  await expect(twonode(...words)).rejects.toThrow(message)
})

test('status names what only this host had, until somebody has looked at it', async () => {
  await agentOf('h1')
  expect(await twonode('status')).not.toContain('salvage')
  bench.salvagesWaiting = ['1_16402']
  expect(await twonode('status')).toContain('`twonode salvage diff 1_16402`')
})

test("31: a leader says whether its follower's table is a copy, and a follower whom to ask (A7)", async () => {
  await agentOf('h1')
  expect(await twonode('compare')).toBe('both hosts have the same objects\n')
  bench.likeness = 'unknown'
  expect(JSON.parse(await twonode('compare', '--json'))).toMatchObject({ same: null })
  bench.likeness = 'differs'
  await expect(twonode('compare')).rejects.toThrow("the follower's table is not the leader's")
})

test('a follower compares nothing, and says who does', async () => {
  await agentOf('h2')
  await expect(twonode('compare')).rejects.toMatchObject({ hint: 'Ask h1.' })
})
