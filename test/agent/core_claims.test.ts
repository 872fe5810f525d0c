import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Claim } from '../../src/pair/claim.ts'
import { FileWitness, initFileWitness } from '../../src/witness/file.ts'
import {
  answers,
  following,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { DONE, ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()
const CONSISTENCY = { partition: 'consistency', acceptLossBytes: 0 } as const

/** A real witness: a folder with claims. */
let share = ''

beforeEach(async () => {
  share = await mkdtemp('/tmp/twonode-claims-')
})

afterEach(async () => {
  // What an agent keeps true in the background may be on its way.
  await rm(share, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
})

const witness = () => new FileWitness({ directory: share, site: 'site', timeoutMs: 20_000 })

/** The share is mounted, and keeps the claim of a host or of the pair. */
async function keepsClaim(term: number, holder: string, mode: Claim['mode']): Promise<void> {
  await initFileWitness(share)
  const first = { format: 1, site: 'site', term, holder, mode, nonce: 'first' }
  expect(await witness().swap(first, null)).toEqual({ kind: 'written' })
}

/** The claim that was made after the first; none: there is no other. */
async function secondClaim(): Promise<string> {
  const text = await readFile(join(share, 'site.2.json'), 'utf8').catch(() => '')
  if (text === '') return 'none'
  const { term, holder, mode } = JSON.parse(text) as Claim
  return `${term} ${mode} ${holder}`
}

/** The first hostMeta that was written. */
const written = ({ log }: ScriptedHost) => log.find((line) => line.startsWith('meta'))

/** h2 follows h1, has settled and has its proof. */
async function follower(): Promise<ScriptedHost> {
  const host = new ScriptedHost('h2', { meta: META }, CONSISTENCY, witness())
  host.converges = { role: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  host.log.length = 0
  return host
}

/** Rounds until it has decided what it does, and it is done. */
async function leaderGone(host: ScriptedHost): Promise<void> {
  await host.rounds(8, SILENT)
}

/** The witness is looked at beside the rounds, which wait for no real disk: it gets its turn. */
async function besideTheRounds(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Rounds without its leader until it leads: a busy disk may be silent in one of them. */
async function promotes(host: ScriptedHost): Promise<void> {
  const deadline = Date.now() + 20_000
  while (written(host) === undefined && Date.now() < deadline) {
    await host.rounds(1, SILENT)
    await besideTheRounds()
  }
}

test('a follower promotes with the very term of the claim that it has won (A4)', async () => {
  await keepsClaim(6, 'h1', 'paired')
  const host = new ScriptedHost('h2', { meta: pairMeta({ term: 9 }) }, CONSISTENCY, witness())
  host.converges = { role: () => DONE }
  await host.core.start()
  const meta = pairMeta({ term: 9 })
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta }), ...following('h2_1_1') })
  await promotes(host)
  expect(written(host)).toContain('meta 10/10 alone h2')
  expect(await secondClaim()).toBe('10 alone h2')
})

test('one whose power is cut between the claim and hostMeta wins another claim, when its leader has spoken and is gone again (A4)', async () => {
  await keepsClaim(2, 'h1', 'paired')
  const host = await follower()
  host.writesLeft = 0
  host.clock.move(1000)
  const power = { isCut: false }
  void host.powerCut.then(() => (power.isCut = true))
  host.sighting = { ...host.sighting, ...SILENT }
  const deadline = Date.now() + 20_000
  // An agent that is begun anew before the power is cut would leave the old one beside it. Its time hardly
  // passes when the leader is gone: a disk is busy for longer than that.
  for (let round = 0; !power.isCut && Date.now() < deadline; round++) {
    await Promise.race([host.core.round(), host.powerCut])
    host.clock.move(round < 6 ? 1000 : 10)
    await besideTheRounds()
  }
  expect(power.isCut).toBe(true)
  await expect.poll(secondClaim, { timeout: 20_000 }).toBe('3 alone h2')
  expect(host.disk.meta).toMatchObject({ term: 2, leader: 'h1' })
  await host.reboot()
  host.log.length = 0
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  await promotes(host)
  // Above the first one, unless that was given back before its leader was gone.
  const term = host.disk.meta?.term ?? 0
  expect([3, 4]).toContain(term)
  expect(written(host)).toContain(`meta ${term}/${term} alone h2`)
  const kept = await witness().read()
  expect(kept).toMatchObject({ kind: 'claim', claim: { term, holder: 'h2', mode: 'alone' } })
  expect(Number(kept.kind === 'claim' ? kept.version : 0)).toBeGreaterThan(2)
})

test('a follower whose leader has won the claim stays as it is, and asks no more than it must (A4)', async () => {
  await keepsClaim(3, 'h1', 'alone')
  const host = await follower()
  await leaderGone(host)
  await host.rounds(30)
  expect(host.rule).toBe('claim-wanted')
  expect(host.log).toEqual([])
  const faults = host.notes.filter((note) => note.kind === 'fault')
  expect(faults.map(({ what }) => what)).toEqual(['claim'])
})

test('no answer of the witness is never a win: nothing is written, and the trouble is told once (A4)', async () => {
  const host = await follower()
  await leaderGone(host)
  await host.rounds(30)
  expect(host.disk.meta).toMatchObject({ term: 2, leader: 'h1' })
  expect(host.log).toEqual([])
  const faults = host.notes.filter((note) => note.kind === 'fault')
  expect(faults.map(({ what }) => what)).toEqual(['witness'])
  expect(host.core.witness).toMatchObject({ answers: false })
})

test("an operator's word needs no witness, and moves the claim where there is one (A4, A5)", async () => {
  await keepsClaim(3, 'h1', 'alone')
  const host = await follower()
  await leaderGone(host)
  const force = async () => {
    const asked = host.core.ask({ kind: 'promote', force: true })
    await host.rounds(1)
    return await asked
  }
  expect(await force()).toMatchObject({ ok: true, rule: 'promote-forced' })
  expect(written(host)).toContain('meta 4/4 alone h2')
  expect(await secondClaim()).toBe('4 alone h2')
})

test("a leader whose follower and witness are dead goes on alone by an operator's word, and makes its claim when the witness answers (A4, B7)", async () => {
  const host = new ScriptedHost('h1', { meta: META }, CONSISTENCY, witness())
  host.converges = { role: () => DONE, alone: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...leading() })
  await host.rounds(8, { ...SILENT, ...leading({ oldestWaitMs: 3_000 }) })
  expect(written(host)).toBeUndefined()
  const asked = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(2)
  expect(await asked).toMatchObject({ ok: true, rule: 'forced-alone' })
  expect(written(host)).toBe('meta 3/1 alone h1 h2_1_1')
  expect(host.log).toContain('converge alone urgent')
})

test('a leader that boots alone leads by a won claim, and not by its record (A5)', async () => {
  await keepsClaim(2, 'h1', 'paired')
  const host = new ScriptedHost('h1', { meta: META }, CONSISTENCY, witness())
  host.converges = { role: () => DONE, alone: () => DONE, impair: () => DONE }
  await host.core.start()
  await host.rounds(12, {
    ...GATEWAY_UP,
    ...SILENT,
    ...leading({ slot: 'idle', streaming: false }),
  })
  expect(await secondClaim()).toBe('3 alone h1')
  expect(host.disk.meta).toMatchObject({ term: 3, branch: 1, leader: 'h1', mode: 'alone' })
  expect(host.log.indexOf('converge impair urgent')).toBeLessThan(
    host.log.indexOf('meta 3/1 alone h1 h2_1_1'),
  )
  expect(host.core.status().impaired).toBe(false)
})

test('who was promoted by force while the witness was silent makes its claim when that answers, and tells of one that was won before (A4, A5)', async () => {
  const host = await follower()
  await leaderGone(host)
  const asked = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(1)
  expect(await asked).toMatchObject({ ok: true })
  expect(written(host)).toContain('meta 3/3 alone h2')
  await keepsClaim(9, 'h1', 'alone')
  const contest = () =>
    host.notes.filter((note) => note.kind === 'fault' && note.what === 'claim').length
  const deadline = Date.now() + 20_000
  const alone = { ...SILENT, ...leading({ slot: 'idle', streaming: false }) }
  while (contest() === 0 && Date.now() < deadline) {
    await host.rounds(1, alone)
    await besideTheRounds()
  }
  await host.rounds(20)
  expect(contest()).toBe(1)
  expect(await secondClaim()).toBe('none')
})
