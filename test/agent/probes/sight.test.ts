import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createClock } from '../../../src/agent/clock.ts'
import type { PeerAnswer } from '../../../src/agent/ports.ts'
import { createSight, type LocalSight, type SightOptions } from '../../../src/agent/probes/sight.ts'
import { statusOf } from '../support/agents.ts'
import { collectFaults } from '../support/faults.ts'
import { metaOf } from '../support/metas.ts'
import { loopbackSite } from '../support/site.ts'

const clock = createClock()
const about = { meta: metaOf() }
const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function opened(over: Partial<SightOptions> = {}): LocalSight {
  const sight = createSight({
    site: loopbackSite(),
    host: 'h1',
    clock,
    faults: collectFaults().faults,
    client: { status: async () => null },
    postgres: { socketDirectory: '/tmp/no-such-socket', user: 'postgres' },
    ...over,
  })
  closing.push(sight.close)
  return sight
}

const children = async () => await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')

async function listenOn(address: string, port: number): Promise<number> {
  const server: Server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen({ host: address, port }, resolve))
  closing.push(async () => await new Promise((resolve) => server.close(() => resolve())))
  const bound = server.address()
  return typeof bound === 'object' ? (bound?.port ?? 0) : 0
}

test('a host that sees nothing says so, in the time of one probe', async () => {
  const sight = opened({ site: loopbackSite({ gateways: [] }) })
  const startedAt = performance.now()
  const seen = await sight.look({ meta: null })
  expect(performance.now() - startedAt).toBeLessThan(1_500)
  expect(seen).toMatchObject({
    gateway: 'none',
    peerAgent: null,
    peerApi: null,
    endpoint: false,
    script: null,
    postgres: { up: false, starting: false },
    carrier: true,
  })
  expect(seen.disk.freeBytes).toBeGreaterThan(0)
})

test('a host that sees all of its peer tells when each answer was asked for, and when it came', async () => {
  await listenOn('127.0.0.2', 6443)
  const port = await listenOn('127.0.0.1', 0)
  const answer: PeerAnswer = { ...statusOf(), sentAt: 5, arrivedAt: 6 }
  const sight = opened({
    site: loopbackSite({ controlPlaneEndpoint: { address: '127.0.0.1', port } }),
    client: { status: async () => answer },
  })
  const before = clock.now()
  await expect
    .poll(async () => (await sight.look(about)).peerPing, { timeout: 10_000 })
    .not.toBeNull()
  const seen = await sight.look(about)
  expect(seen).toMatchObject({ peerAgent: answer, endpoint: true })
  expect(seen.peerApi?.sentAt).toBeGreaterThanOrEqual(before)
  await expect
    .poll(async () => (await sight.look(about)).gateway, { timeout: 10_000 })
    .not.toBeNull()
})

test('of several gateways one that answers is enough', async () => {
  const sight = opened({ site: loopbackSite({ gateways: ['127.0.0.3', '240.0.0.1'] }) })
  await expect
    .poll(async () => (await sight.look(about)).gateway, { timeout: 10_000 })
    .toMatchObject({ sentAt: expect.any(Number) as number })
})

test('rounds start no process, and nothing of one is left in the next', async () => {
  const sight = opened()
  await sight.look(about)
  const before = await children()
  for (let round = 0; round < 10; round += 1) await sight.look(about)
  expect(await children()).toBe(before)
})

test('a probe that hangs holds up no round, and is not asked twice at a time', async () => {
  // Takes connections and never answers, as a frozen server does.
  let asked = 0
  const path = '/tmp/.s.PGSQL.54999'
  const server = createServer((socket) => {
    asked += 1
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  closing.push(async () => await new Promise((resolve) => server.close(() => resolve())))
  const { postgres } = loopbackSite()
  const sight = opened({
    site: loopbackSite({ postgres: { ...postgres, port: 54_999 }, liveness: { intervalMs: 250 } }),
    postgres: { socketDirectory: '/tmp', user: 'postgres' },
  })
  const startedAt = performance.now()
  for (let round = 0; round < 4; round += 1) {
    const { postgres: seen } = await sight.look(about)
    expect(seen).toMatchObject({ up: false, why: 'no answer within 125 ms' })
  }
  expect(performance.now() - startedAt).toBeLessThan(4 * 125 + 400)
  expect(asked).toBe(1)
})
