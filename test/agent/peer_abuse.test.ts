import { readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { PeerClient } from '../../src/agent/peer_client.ts'
import type { TlsPaths } from '../../src/agent/tls_files.ts'
import { clientOf, type ServedApi, serveApi, statusOf } from './support/agents.ts'
import { metaOf } from './support/metas.ts'
import { makeSite, type SiteTls } from './support/site_tls.ts'

let site: SiteTls
let h1: TlsPaths
let served: ServedApi
let client: PeerClient
let faults: string[]

beforeAll(async () => {
  site = await makeSite()
  h1 = await site.host('h1')
})
afterAll(async () => await site.close())

beforeEach(async () => {
  served = await serveApi(await site.host('h2'))
  ;({ client, faults } = await clientOf(h1, served.api.port()))
})
afterEach(async () => {
  client.close()
  await served.close()
})

test('a body of 100 MB is cut off at once, whatever it says of its length', async () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x')
  for (const declared of [true, false]) {
    let sent = 0
    const own = { cert: await readFile(h1.certificate), key: await readFile(h1.key) }
    const status = await new Promise<number | string>((resolve) => {
      const asked = httpsRequest({
        host: '127.0.0.1',
        port: served.api.port(),
        method: 'POST',
        path: '/v1/void-proof',
        rejectUnauthorized: false,
        agent: false,
        headers: declared ? { 'content-length': 100 * megabyte.length } : {},
        ...own,
      })
      asked.once('response', (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      asked.once('error', (error) => resolve(String(error)))
      const more = () => {
        while (sent < 100 && !asked.destroyed) {
          sent += 1
          if (!asked.write(megabyte)) return void asked.once('drain', more)
        }
      }
      more()
    })
    expect(status === 413 || /EPIPE|ECONNRESET/.test(String(status)), String(status)).toBe(true)
    expect(sent).toBeLessThan(100)
  }
  expect(served.faults).toEqual([expect.stringMatching(/a message has 64 kB at most/)])
  expect(await client.status(2_000)).not.toBeNull()
})

/** Resolves when the other side has hung up. @unit milliseconds */
async function hungUpAfter(socket: Socket): Promise<number> {
  const startedAt = performance.now()
  socket.on('error', () => {})
  socket.resume()
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
  return performance.now() - startedAt
}

test(
  'slow lorises are cut off, and the peer is served meanwhile',
  { timeout: 40_000 },
  async () => {
    const at = { host: '127.0.0.1', port: served.api.port() }
    const own = { cert: await readFile(h1.certificate), key: await readFile(h1.key) }
    const silent = connect(at)
    const handshaken = connectTls({ ...at, ...own, rejectUnauthorized: false })
    const drip = connectTls({ ...at, ...own, rejectUnauthorized: false })
    await new Promise((resolve) => drip.once('secureConnect', resolve))
    drip.write('GET /v1/status HTTP/1.1\r\n')
    const dripping = setInterval(() => drip.write('x-a: b\r\n'), 300)
    const body = connectTls({ ...at, ...own, rejectUnauthorized: false })
    body.write('POST /v1/void-proof HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{')
    const lorises = [silent, handshaken, drip, body].map(hungUpAfter)
    expect(await client.status(2_000)).not.toBeNull()
    const took = await Promise.all(lorises)
    clearInterval(dripping)
    for (const ms of took) expect(ms).toBeLessThan(15_000)
    expect(await client.status(2_000)).not.toBeNull()
  },
)

test('one address has a few connections, and cannot take all', async () => {
  const sockets = Array.from({ length: 40 }, () =>
    connect({ host: '127.0.0.1', port: served.api.port() }),
  )
  const open = new Set(sockets)
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.once('close', () => open.delete(socket))
    socket.resume()
  }
  await expect.poll(() => open.size, { timeout: 5_000 }).toBeLessThanOrEqual(8)
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => await client.status(1_000), { timeout: 5_000 }).not.toBeNull()
})

test('many addresses take what is left of all connections, and the peer still has its own', async () => {
  const at = { host: '127.0.0.1', port: served.api.port() }
  const sockets = Array.from({ length: 100 }, (_, i) =>
    connect({ ...at, localAddress: `127.0.1.${1 + (i % 20)}` }),
  )
  const open = new Set(sockets)
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.once('close', () => open.delete(socket))
    socket.resume()
  }
  await expect.poll(() => open.size, { timeout: 2_500 }).toBeLessThanOrEqual(62)
  // Before the first of them is cut for having said nothing.
  expect(await client.status(2_000)).not.toBeNull()
  expect(open.size).toBeGreaterThan(55)
  for (const socket of sockets) socket.destroy()
})

const LIES: readonly (readonly [string, Parameters<typeof statusOf>[0]])[] = [
  ['is another host', { host: 'h3' }],
  ['is of another site', { meta: metaOf({ site: 'other' }) }],
  [
    'knows other hosts',
    { meta: metaOf({ hosts: [metaOf().hosts[0]!, { ...metaOf().hosts[1]!, name: 'h9' }] }) },
  ],
  ['has a term below its branch', { meta: metaOf({ term: 2, branch: 5, began: 'promotion' }) }],
  ['has a negative term', { meta: metaOf({ term: -1 }) }],
  ['has half a term', { meta: metaOf({ term: 2.5 }) }],
  ['has a term beyond whole numbers', { meta: metaOf({ term: 2 ** 60 }) }],
  ['has a term that leaves no room', { meta: metaOf({ term: Number.MAX_SAFE_INTEGER }) }],
  ['has a proof for a term to come', { proofTerm: 3 }],
  ['has a proof without a hostMeta', { meta: null }],
  ['is led by a stranger', { meta: { ...metaOf(), leader: 'h7' } }],
  ['has a follower that is ahead', { followerBehindBytes: -1 }],
]

test.each(LIES)('a peer that %s is not believed, and that is told once', async (_, lie) => {
  served.status = statusOf(lie)
  expect(await client.status(2_000)).toBeNull()
  expect(await client.status(2_000)).toBeNull()
  expect(faults).toHaveLength(1)
  served.status = statusOf()
  expect(await client.status(2_000)).toMatchObject(statusOf())
})
