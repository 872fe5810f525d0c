import { X509Certificate } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { serialiseHostMeta } from '../../src/pair/host_meta.ts'
import type { TlsPaths } from '../../src/agent/tls_files.ts'
import { askByHand, clientOf, H1, type ServedApi, serveApi, statusOf } from './support/agents.ts'
import { metaOf } from './support/metas.ts'
import { makeSite, type SiteTls } from './support/site_tls.ts'

let site: SiteTls
let h1: TlsPaths
let served: ServedApi
const clients: { close: () => void }[] = []

beforeAll(async () => {
  site = await makeSite()
  h1 = await site.host('h1')
})
afterAll(async () => await site.close())

beforeEach(async () => {
  served = await serveApi(await site.host('h2'))
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await served.close()
})

async function connected(paths: TlsPaths = h1, pair = H1) {
  const made = await clientOf(paths, served.api.port(), pair)
  clients.push(made.client)
  return made
}

const ask = async (method: string, path: string, body?: string, paths: TlsPaths | null = h1) =>
  await askByHand({ port: served.api.port(), paths }, method, path, body)

const QUERY = 'format=1&site=lab&nonce=0123456789abcdef'

test('the peer says who it is and what it knows, with the times of question and answer', async () => {
  const { client } = await connected()
  const answer = await client.status(2_000)
  expect(answer).toMatchObject(statusOf())
  expect(answer?.arrivedAt).toBeGreaterThanOrEqual(answer?.sentAt ?? Infinity)
})

test("the lines of the peer's journal are had for the asking", async () => {
  const { client } = await connected()
  expect(await client.decisions()).toEqual([{ at: '2026-11-21T12:00:00.000Z', kind: 'decision' }])
  await served.close()
  expect(await client.decisions()).toBeNull()
})

test("the content of the peer's table is had for the asking, where it can be told", async () => {
  const { client } = await connected()
  expect(await client.content()).toEqual({ revision: 7, digest: '3:42' })
  await served.close()
  expect(await client.content()).toBeNull()
})

test('rounds use one connection; a request that takes its time has another', async () => {
  const port = served.api.port()
  const ports = new Set<unknown>()
  const count = (message: unknown) => {
    const { socket } = message as { socket: Socket }
    if (socket.localPort === port) ports.add(socket.remotePort)
  }
  subscribe('net.server.socket', count)
  const { client } = await connected()
  for (let round = 0; round < 5; round += 1) expect(await client.status(2_000)).not.toBeNull()
  expect(ports.size).toBe(1)
  served.before = async () => {
    for (let round = 0; round < 5; round += 1) expect(await client.status(2_000)).not.toBeNull()
  }
  expect(await client.voidProof(2)).toBe(true)
  expect(ports.size).toBe(2)
  unsubscribe('net.server.socket', count)
})

test('many questions at a time all have their answers', async () => {
  const { client } = await connected()
  for (let wave = 0; wave < 3; wave += 1) {
    const asked = Array.from({ length: 4 }, async () => [
      await client.status(5_000),
      await client.voidProof(2),
    ])
    expect((await Promise.all(asked)).flat()).not.toContain(null)
  }
  expect(served.asked).toHaveLength(12)
})

test('a proof is void when the peer has said so, and not before', async () => {
  const { client } = await connected()
  const disk = new EventEmitter()
  served.before = async () => void (await once(disk, 'written'))
  const voided = client.voidProof(7)
  await expect.poll(async () => (await client.status(2_000))?.host).toBe('h2')
  expect(served.asked).toEqual([])
  disk.emit('written')
  expect(await voided).toBe(true)
  expect(served.asked).toEqual([{ voided: 7 }])
})

test('a peer that can not void its proof in time has not voided it', async () => {
  const { client } = await connected()
  served.before = async () => await new Promise(() => {})
  expect(await client.voidProof(7)).toBe(false)
  served.before = async () => {
    throw new Error('no space left')
  }
  expect(await client.voidProof(7)).toBe(false)
  expect(served.faults.join()).toContain('no space left')
})

test('the steps of a hand-over are passed on word by word', async () => {
  const { client } = await connected()
  const prepare = { phase: 'prepare', term: 3, byOperator: true } as const
  expect(await client.handOver(prepare)).toEqual({ ok: false, why: 'not now' })
  expect(await client.handOver({ phase: 'digest', term: 3 })).toEqual({ ok: true, digest: 'd1' })
  expect(served.asked).toEqual([prepare, { phase: 'digest', term: 3 }])
})

test('hostMeta can be asked for by itself', async () => {
  const { status, text } = await ask('GET', `/v1/host-meta?${QUERY}`)
  expect([status, JSON.parse(text)]).toEqual([
    200,
    expect.objectContaining({ host: 'h2', meta: serialiseHostMeta(metaOf()) }),
  ])
})

test("another site's certificate, none, and another host's are refused, in one event each", async () => {
  const other = await makeSite()
  const foreign = await other.host('h1')
  const third = await site.host('h3')
  for (let round = 0; round < 3; round += 1)
    for (const [path, paths] of [
      ['status', foreign],
      ['status', null],
      ['decisions', third],
      ['host-meta', third],
    ] as const)
      expect(await ask('GET', `/v1/${path}?${QUERY}`, undefined, paths)).toMatchObject({
        status: 403,
        reason: 'certificate',
      })
  expect(served.faults.length).toBeLessThanOrEqual(2)
  expect(served.faults[0]).toMatch(/not of this site's authority/)
  expect(await (await connected()).client.status(2_000)).not.toBeNull()
  await other.close()
})

test('a certificate that is for servers only is no ticket', async () => {
  const server = await site.host('h1', { usages: ['server'] })
  expect((await ask('GET', `/v1/status?${QUERY}`, undefined, server)).status).toBe(403)
})

test('a client tells who is not its peer: another site, or another host', async () => {
  const { client, faults } = await connected(h1, { ...H1, peer: 'h3' })
  expect(await client.status(2_000)).toBeNull()
  expect(faults).toEqual(['who answers on 127.0.0.1 is not our peer: ERR_TLS_CERT_ALTNAME_INVALID'])

  const other = await makeSite()
  const stranger = await connected(await other.host('h1'))
  expect(await stranger.client.status(2_000)).toBeNull()
  expect(await stranger.client.status(2_000)).toBeNull()
  expect(stranger.faults).toHaveLength(1)
  expect(stranger.faults[0]).toMatch(/is not our peer/)
  await other.close()
})

test('messages of another version, of another site and without a nonce are refused in words', async () => {
  const cases = [
    ['format=0&site=lab&nonce=0123456789abcdef', 409, 'format'],
    ['site=lab&nonce=0123456789abcdef', 409, 'format'],
    ['format=1&site=other&nonce=0123456789abcdef', 403, 'site'],
    ['format=1&site=lab', 400, 'message'],
  ] as const
  for (const [query, status, reason] of cases)
    expect(await ask('GET', `/v1/status?${query}`)).toMatchObject({ status, reason })
  const { text } = await ask('GET', '/v1/status?format=0&site=lab&nonce=0123456789abcdef')
  expect(text).toContain('upgrade the older twonode')
})

test('an agent of another site name hears why it is refused', async () => {
  const { client, faults } = await connected(h1, { ...H1, site: 'other' })
  expect(await client.status(2_000)).toBeNull()
  expect(faults).toEqual([expect.stringMatching(/^the peer refuses: this host is of site lab/)])
})

test.each([
  ['GET', '/v1/nothing', 404],
  ['POST', '/v1/status', 404],
  ['DELETE', '/v1/void-proof', 404],
  ['GET', '//', 404],
])('%s %s is no route', async (method, path, status) => {
  expect(await ask(method, `${path}?${QUERY}`)).toMatchObject({ status, reason: 'route' })
})

const envelope = { format: 1, site: 'lab', nonce: '0123456789abcdef' }

test.each([
  '',
  'null',
  '[]',
  '{"format":1',
  JSON.stringify(envelope),
  JSON.stringify({ ...envelope, term: 0 }),
  JSON.stringify({ ...envelope, term: -3 }),
  JSON.stringify({ ...envelope, term: 2.5 }),
  JSON.stringify({ ...envelope, term: '2' }),
  JSON.stringify({ ...envelope, term: 2 ** 60 }),
  JSON.stringify({ ...envelope, term: 2, more: 1 }),
])('the body %j voids nothing', async (body) => {
  const { status, reason } = await ask('POST', '/v1/void-proof', body)
  expect([status, reason]).toEqual([400, 'message'])
  expect(served.asked).toEqual([])
})

test('what the core knows beyond a status does not leave the host', async () => {
  const { client } = await connected()
  served.status = Object.assign(statusOf(), { secret: 'sesame-123456' })
  expect(await client.status(2_000)).not.toHaveProperty('secret')
  expect((await ask('GET', `/v1/status?${QUERY}`)).text).not.toContain('sesame')
})

test('a peer without a hostMeta is a peer all the same', async () => {
  const { client } = await connected()
  served.status = statusOf({ meta: null, proofTerm: null })
  expect(await client.status(2_000)).toMatchObject({ meta: null, proofTerm: null })
})

test('a peer that was away for a while is found again by itself, and that is no fault', async () => {
  const { client, faults } = await connected()
  expect(await client.status(2_000)).not.toBeNull()
  const port = served.api.port()
  await served.close()
  expect(await client.status(500)).toBeNull()
  served = await serveApi(await site.host('h2'), port)
  expect(await client.status(2_000)).not.toBeNull()
  expect(faults).toEqual([])
})

test('a renewed certificate is served without a restart; half of one leaves the old in use', async () => {
  const paths = await site.host('h2')
  const own = await serveApi(paths)
  clients.push({ close: () => void own.close() })
  const { client } = await clientOf(h1, own.api.port())
  clients.push(client)
  const fresh = await site.host('h2')
  await writeFile(paths.key, await readFile(fresh.key))
  expect(await own.tls.refresh()).toBe(false)
  expect(own.faults).toEqual([expect.stringMatching(/can not be used: .*the one before is used/)])
  expect(await client.status(2_000)).not.toBeNull()

  await writeFile(paths.certificate, await readFile(fresh.certificate))
  expect(await own.tls.refresh()).toBe(true)
  own.api.reload()
  const served = await new Promise<string>((resolve) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: own.api.port(),
      rejectUnauthorized: false,
    })
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
  })
  expect(served).toBe(new X509Certificate(await readFile(fresh.certificate)).fingerprint256)
  expect(await client.status(2_000)).not.toBeNull()
})

test('no fault holds a key or a token', async () => {
  await ask('POST', '/v1/void-proof', JSON.stringify({ ...envelope, secret: 'sesame-123456' }))
  await ask('POST', '/v1/void-proof', JSON.stringify({ ...envelope, term: 'sesame-123456' }))
  expect(served.faults.join()).not.toContain('sesame')
})
