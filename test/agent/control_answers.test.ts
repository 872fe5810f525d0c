import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answerControl } from '../../src/agent/control_answers.ts'
import { type ControlSocket, openControlSocket } from '../../src/agent/control_socket.ts'
import { Faults } from '../../src/agent/faults.ts'
import { type DecisionJournal, openDecisionJournal } from '../../src/agent/journal.ts'
import { runLocalCommand } from '../../src/agent/local_commands.ts'
import { createSiteSecrets } from '../../src/host/site_secrets.ts'
import { JoinTokens } from '../../src/agent/join_token.ts'
import { openStateFiles } from '../../src/agent/state_files.ts'
import type { JsonObject } from '../../src/core/json.ts'
import {
  answers,
  following,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { planOf, scratch } from '../support/engine_run.ts'
import { DONE, ScriptedHost } from '../support/scripted_agent.ts'
import { manualClock } from './support/manual_clock.ts'

const META = pairMeta()

let folder: ReturnType<typeof scratch>
let socket: ControlSocket | undefined
let journal: DecisionJournal
let peerSays: readonly JsonObject[] | null
let isReplaced: boolean
let faults: Faults
beforeEach(() => {
  folder = scratch()
  peerSays = null
  isReplaced = false
  faults = new Faults(() => {})
})
afterEach(async () => {
  await socket?.close()
  await journal.flush()
  folder.remove()
})

/** A core in its role, whose agent answers on a socket. */
async function agentOf(self: 'h1' | 'h2'): Promise<ScriptedHost> {
  const host = new ScriptedHost(self, { meta: META })
  host.converges = { role: () => DONE }
  await host.core.start()
  const seen = self === 'h1' ? leading() : following('h2_1_1')
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...seen })
  const journalFolder = join(folder.path, 'journal')
  journal = openDecisionJournal({
    folder: journalFolder,
    host: self,
    bootId: 'b',
    clock: manualClock(),
    redact: (text) => text,
  })
  const parts = {
    core: host.core,
    site: {
      host: self,
      plan: planOf([]),
      secrets: new Map<string, never>(),
      isReplaced: () => isReplaced,
      takeIn: async () => {},
    },
    store: openStateFiles({ directory: folder.path, site: 'test', note: () => {} }),
    tokens: new JoinTokens(folder.path, () => host.clock.now()),
    secrets: createSiteSecrets(folder.path),
    faults,
    journal,
    journalFolder,
    client: { decisions: async () => peerSays },
  }
  socket = await openControlSocket(join(folder.path, 'agent.sock'), answerControl(parts))
  return host
}

async function twonode(...words: readonly string[]): Promise<string> {
  let said = ''
  const out = { write: (text: string) => void (said += text) }
  expect(await runLocalCommand(words, out, join(folder.path, 'agent.sock'))).toBe(0)
  return said
}

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

async function status(): Promise<JsonObject> {
  return JSON.parse(await twonode('status', '--json')) as JsonObject
}

test('status says by which site it goes, and that another one is here, with what keeps it from that', async () => {
  await agentOf('h1')
  const { bundle, version } = planOf([])
  const current = { bundle, version, siteReplaced: false, siteRefused: null }
  expect(await status()).toMatchObject(current)
  expect(await twonode('status')).not.toContain('replaced')
  isReplaced = true
  expect(await status()).toMatchObject({ siteReplaced: true, siteRefused: null })
  expect(await twonode('status')).toMatch(/^note +the site on this host was replaced: it is about/m)
  faults.tell('site', 'the agent of the new site does not start: no memory')
  expect(await status()).toMatchObject({ siteRefused: expect.stringContaining('no memory') })
  expect(await twonode('status')).toContain('does not start: no memory')
})

test("status says whether the peer's agent hears this one", async () => {
  const host = await agentOf('h2')
  expect((await status())['peerAsks']).toBe(false)
  host.core.onStatus()
  expect((await status())['peerAsks']).toBe(true)
  await host.rounds(10, SILENT)
  expect((await status())['peerAsks']).toBe(false)
})

test('a timeline is both accounts in one; that of a peer that does not answer is missing', async () => {
  await agentOf('h1')
  journal.note({ kind: 'meta', term: 3, branch: 3, mode: 'alone', leader: 'h1' })
  const words = 'hostMeta: h1 leads, term 3, branch 3, alone'
  expect(await twonode('timeline')).toBe(`2026-01-01 00:00:00.000  h1        ${words}\n`)
  const proof = { kind: 'proof', term: 2, voided: 2 }
  peerSays = [{ at: '2025-12-31T23:59:59.000Z', host: 'h2', ...proof }]
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

test('a pause says what it holds up here; a resume with a proof that is too old says the way out', async () => {
  const host = await agentOf('h2')
  expect(await twonode('pause')).toContain('this host does not promote itself')
  await host.rounds(1)
  host.disk.paused = true
  await host.rounds(70, SILENT)
  expect(await twonode('status')).toMatch(/way out +`twonode resume` here/)
  host.disk.paused = false
  expect(await withRounds(host, twonode('resume'))).toMatch(
    /^resumed, but the leader is gone, .*\[no-proof\]; the way out: .*`twonode promote --force` here/,
  )
  expect(await twonode('status')).toMatch(/^h2: not whole: .* \[no-proof\]$/m)
  const said = await twonode('timeline')
  expect(said).toMatch(/paused by an operator\n.*resumed by an operator/)
})

test('a paused leader is told that its follower promotes all the same', async () => {
  const host = await agentOf('h1')
  expect(await twonode('pause')).toContain('run `twonode pause` on h2 too')
  await host.rounds(1, answers({ meta: META, proofTerm: 2, paused: true }))
  expect(await twonode('pause')).toContain('h2 is paused too, and does not promote')
  expect(await twonode('status')).toMatch(/^paused +this host: no, its peer: yes$/m)
})

test('pause and resume are a file that the next round sees', async () => {
  const host = await agentOf('h2')
  const sentinel = join(folder.path, '.two-node-pause')
  expect(await twonode('pause')).toContain('paused')
  expect(existsSync(sentinel)).toBe(true)
  expect(await withRounds(host, twonode('resume'))).toBe('resumed\n')
  expect(existsSync(sentinel)).toBe(false)
})

test('who resumes has looked: the flap guard counts anew, before it freezes as well', async () => {
  const host = await agentOf('h2')
  await host.rounds(1, SILENT)
  await withRounds(host, twonode('promote', '--force'))
  expect(host.disk.changes).toHaveLength(1)
  await withRounds(host, twonode('resume'))
  expect(host.disk.changes).toEqual([])
})

test('a request that the rules refuse ends with their reason; one that they take up has begun', async () => {
  const host = await agentOf('h2')
  await expect(withRounds(host, twonode('promote'))).rejects.toMatchObject({
    message: 'nothing is done: h1 leads, and answers',
    hint: '`twonode switchover` on h1 hands over.',
  })
  await host.rounds(1, SILENT)
  expect(await withRounds(host, twonode('promote', '--force'))).toMatch(
    /^begun: .*\(rule promote-forced\)\n$/,
  )
})

test.each([
  ['h2', 'switchover', 'this host follows: h1 leads', 'Run it on h1.'],
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
  await createSiteSecrets(folder.path).make('ca', 'test')
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
  await createSiteSecrets(folder.path).make('ca', 'test')
  await expect(twonode('token', ...words)).rejects.toThrow(message)
})

/** Lets rounds pass until it is answered. */
async function withRounds<T>(host: ScriptedHost, asking: Promise<T>): Promise<T> {
  const over = new AbortController()
  const end = () => over.abort()
  asking.then(end, end)
  for (let round = 0; !over.signal.aborted && round < 1_000; round += 1) {
    await host.rounds(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return await asking
}

test.each([
  ['an option', ['status', '--force'], 'status takes no --force'],
  ['a word', ['replace', '--for', '--host', 'h3'], '--for takes a word'],
  ['a number', ['timeline', '--lines', 'many'], '--lines takes a whole number from 1'],
  ['a command', ['converge'], 'there is no command converge on a host'],
])('%s that is none is refused before the agent is asked', async (_, words, message) => {
  await agentOf('h1')
  await socket?.close()
  await expect(twonode(...words)).rejects.toThrow(message)
})
