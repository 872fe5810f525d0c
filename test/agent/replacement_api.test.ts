import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeKey, makeSigningRequest } from '../../src/host/x509.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { parseSiteFile } from '../../src/plan/site_file.ts'
import { answers, pairMeta } from '../support/agent_sightings.ts'
import { scratch } from '../support/engine_run.ts'
import { askByHand } from './support/agents.ts'
import {
  BUNDLE,
  K3S_TOKEN,
  openLeader,
  type OpenLeader,
  orderFor,
  PreparedHost,
} from './support/joining.ts'

let folder: ReturnType<typeof scratch>
let leader: OpenLeader
let newcomer: PreparedHost
beforeEach(async () => {
  folder = scratch()
  leader = await openLeader(folder.path)
  newcomer = new PreparedHost(join(folder.path, 'new'))
})
afterEach(async () => {
  await leader.close()
  folder.remove()
})

const metaOfLeader = () => leader.host.disk.meta

test('a prepared host gets in with nobody there: token, certificate, secrets, site, hostMeta; then it converges itself', async () => {
  await newcomer.order(await orderFor(leader))
  expect(await newcomer.run()).toBe(true)
  expect(newcomer.said).toEqual([
    'h2 asks 127.0.0.1 to be let in',
    'h2 is let in, and converges itself',
    'h2 is in; its agent takes over',
  ])
  expect(metaOfLeader()).toMatchObject({ term: 4, mode: 'alone', slot: 'h2_1_2' })
  expect(newcomer.converged).toEqual([{ host: 'h2', meta: metaOfLeader() }])
  const certificate = new X509Certificate(await newcomer.text('etc/twonode/tls/agent.crt'))
  const authority = new X509Certificate(leader.site.authority.certificatePem)
  expect(certificate.verify(authority.publicKey)).toBe(true)
  expect([certificate.subject, certificate.subjectAltName]).toEqual([
    'CN=h2',
    'IP Address:10.77.0.12',
  ])
  expect(await newcomer.text('etc/twonode/pki/k3s-token')).toBe(`${K3S_TOKEN}\n`)
  expect(await newcomer.text('etc/twonode/pki/ca.key')).toContain('PRIVATE KEY')
  expect(existsSync(join(newcomer.root, 'etc/twonode/join.json'))).toBe(false)
  for (const path of ['pki/ca.key', 'pki/k3s-token', 'tls/agent.key', 'secrets', 'site.yaml'])
    expect(statSync(join(newcomer.root, 'etc/twonode', path)).mode & 0o777).toBe(0o600)
})

test('a newcomer of another name and address is in the site of both', async () => {
  await newcomer.order(await orderFor(leader, { name: 'h3', address: '10.77.0.13' }))
  expect(await newcomer.run()).toBe(true)
  const h3 = { name: 'h3', address: '10.77.0.13' }
  expect(metaOfLeader()?.hosts[1]).toMatchObject(h3)
  expect(leader.host.log).toContain('site h2 -> h3 10.77.0.13')
  expect(parseSiteFile(await newcomer.text('etc/twonode/site.yaml')).site.hosts[1]).toEqual(h3)
})

test('no secret is in what the leader notes or says of it', async () => {
  const order = await orderFor(leader)
  await newcomer.order(order)
  await newcomer.run()
  const told = JSON.stringify([leader.host.notes, leader.faults, newcomer.said])
  expect(told).toContain(order.token.id)
  for (const secret of [reveal(order.token.secret), K3S_TOKEN, 'PRIVATE KEY'])
    expect(told).not.toContain(secret)
})

test('an answer that is lost is given again to the same key, and to no other; the pair changes once', async () => {
  const order = await orderFor(leader)
  await newcomer.order(order)
  leader.mute = true
  expect(await newcomer.run()).toBe(false)
  expect(metaOfLeader()?.term).toBe(4)
  leader.mute = false
  const thief = new PreparedHost(join(folder.path, 'thief'))
  await thief.order(order)
  expect(await thief.run()).toBe(false)
  expect(thief.said.at(-1)).toMatch(/the join token was used by another host/)
  expect(await newcomer.run()).toBe(true)
  expect(metaOfLeader()?.term).toBe(4)
})

/** What a newcomer keeps, in the order in which it is written. */
const KEPT = [
  'etc/twonode/pki/ca.key',
  'etc/twonode/pki/ca.crt',
  'etc/twonode/pki/k3s-token',
  'etc/twonode/tls/agent.crt',
  'etc/twonode/secrets',
  'etc/twonode/site.yaml',
  'var/lib/twonode/host-meta.yaml',
]

test('cut after any of the files that it keeps, a newcomer asks again and goes on', async () => {
  const order = await orderFor(leader)
  await newcomer.order(order)
  expect(await newcomer.run()).toBe(true)
  for (let written = 0; written <= KEPT.length; written += 1) {
    const cut = new PreparedHost(join(folder.path, `cut-${written}`))
    for (const path of ['etc/twonode/tls/agent.key', ...KEPT.slice(0, written)]) {
      mkdirSync(dirname(join(cut.root, path)), { recursive: true })
      copyFileSync(join(newcomer.root, path), join(cut.root, path))
    }
    await cut.order(order)
    expect(await cut.run(), `${written} files were written`).toBe(true)
    for (const path of KEPT.slice(4)) expect(await cut.text(path)).toBe(await newcomer.text(path))
  }
  expect(metaOfLeader()?.term).toBe(4)
})

test('a converge that fails is tried again, and asks once more; what stays the same is not written again', async () => {
  await newcomer.order(await orderFor(leader))
  newcomer.outcomes.push({ kind: 'failed', task: 'kine is installed', message: 'no kine here' })
  expect(await newcomer.run(1)).toBe(false)
  expect(newcomer.said.at(-1)).toBe('kine is installed: no kine here')
  const before = statSync(join(newcomer.root, 'etc/twonode/site.yaml')).ino
  await leader.close()
  expect(await newcomer.run(1)).toBe(true)
  expect(statSync(join(newcomer.root, 'etc/twonode/site.yaml')).ino).toBe(before)
})

test('the conditions come before the token: a peer that answers, and the token is good when it has gone (B10)', async () => {
  const order = await orderFor(leader)
  await newcomer.order(order)
  const { sighting } = leader.host
  leader.host.sighting = { ...sighting, ...answers({ meta: metaOfLeader() ?? pairMeta() }) }
  await expect.poll(() => leader.host.core.facts().peer.contact).toBe('answers')
  expect(await newcomer.run()).toBe(false)
  expect(newcomer.said.at(-1)).toMatch(/the peer refuses: h2 answers\. Power h2 off for good/)
  expect((await leader.tokens.list())[0]?.use).toBeNull()
  expect(metaOfLeader()?.term).toBe(3)
  leader.host.sighting = sighting
  await expect.poll(() => leader.host.core.facts().peer.contact).toBe('gone')
  expect(await newcomer.run()).toBe(true)
})

test('a host of another bundle is told which to bring, and uses nothing up', async () => {
  newcomer.bundle = 'c'.repeat(64)
  await newcomer.order(await orderFor(leader))
  expect(await newcomer.run()).toBe(false)
  expect(newcomer.said.at(-1)).toMatch(
    /this site runs bundle bbbbbbbbbbbb of twonode .*cccccccccccc/,
  )
  expect((await leader.tokens.list())[0]?.use).toBeNull()
})

test('whoever answers in the place of the leader hears no secret: its authority is another', async () => {
  const order = await orderFor(leader)
  await newcomer.order({ ...order, token: { ...order.token, authority: 'f'.repeat(64) } })
  expect(await newcomer.run()).toBe(false)
  expect(newcomer.said.at(-1)).toMatch(/is not of the site that the join token is for/)
  expect(leader.asked).toEqual([])
})

test('a wrong, revoked or expired token is one refusal, which says nothing more', async () => {
  const order = await orderFor(leader)
  const wrong = { ...order.token, secret: new Secret('x'.repeat(43), 'test') }
  await leader.tokens.revoke(order.token.id)
  for (const token of [wrong, order.token]) {
    const host = new PreparedHost(join(folder.path, String(token === wrong)))
    await host.order({ ...order, token })
    expect(await host.run()).toBe(false)
    expect(host.said.at(-1)).toBe(
      'the peer refuses: there is no such join token here, or not any more',
    )
  }
  expect(metaOfLeader()?.term).toBe(3)
})

const at = () => ({ port: leader.api.port(), paths: null })
const ENVELOPE = { format: 1, nonce: '0123456789abcdef' }

async function message(over: Record<string, unknown> = {}): Promise<string> {
  const order = await orderFor(leader)
  const request = await makeSigningRequest('h2', await makeKey())
  const proof = { token: order.token.id, secret: reveal(order.token.secret) }
  const fields = { name: 'h2', address: '10.77.0.12', bundle: BUNDLE, request, ...proof }
  return JSON.stringify({ ...ENVELOPE, ...fields, ...over })
}

test('every other route refuses a client without a certificate', async () => {
  const query = 'format=1&site=test&nonce=0123456789abcdef'
  const body = JSON.stringify({ ...ENVELOPE, site: 'test', term: 3, phase: 'yield' })
  const routes = [
    ['GET', `/v1/status?${query}`, undefined],
    ['GET', `/v1/host-meta?${query}`, undefined],
    ['GET', `/v1/decisions?${query}`, undefined],
    ['POST', '/v1/void-proof', body],
    ['POST', '/v1/handover', body],
    ['GET', `/v1/replacement?${query}`, undefined],
    ['POST', '/v1/replacement/', body],
  ] as const
  for (const [method, path, text] of routes)
    expect(await askByHand(at(), method, path, text)).toMatchObject({
      status: 403,
      reason: 'certificate',
    })
})

test.each([
  ['no JSON', async () => '{', 400],
  ['a list', async () => '[]', 400],
  ['another format', async () => await message({ format: 0 }), 409],
  ['a field too many', async () => await message({ plan: {} }), 400],
  ['a field that is no text', async () => await message({ name: { toString: 1 } }), 400],
  ['a signing request that is none', async () => await message({ request: 'x' }), 400],
  [
    "another name's signing request",
    async () => await message({ request: await makeSigningRequest('h1', await makeKey()) }),
    400,
  ],
  ["the leader's name", async () => await message({ name: 'h1' }), 400],
  ["the leader's address", async () => await message({ address: '10.77.0.11' }), 409],
  ['an address that is none', async () => await message({ address: '$(reboot)' }), 409],
  ['a body that is too large', async () => await message({ request: 'x'.repeat(70_000) }), 413],
])('%s is refused in words, and changes nothing', async (_, body, status) => {
  expect((await askByHand(at(), 'POST', '/v1/replacement', await body())).status).toBe(status)
  expect(metaOfLeader()?.term).toBe(3)
  expect((await leader.tokens.list()).every(({ use }) => use === null)).toBe(true)
})

const guess = async () =>
  await askByHand(at(), 'POST', '/v1/replacement', await message({ secret: 'guess' }))

test('who guesses is not listened to any more', async () => {
  for (let count = 0; count < 10; count += 1) expect((await guess()).reason).toBe('token')
  expect(await guess()).toMatchObject({ status: 503, reason: 'busy' })
})
