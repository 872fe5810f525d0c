import { EventEmitter, once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Jobs } from '../../src/agent/jobs.ts'
import type { Sighting } from '../../src/agent/ports.ts'
import { answers, GATEWAY_LOST, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE, type ScriptedHost } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'

const META = pairMeta()

/** Looks that last as long as probes that fail do. */
const LOOK_MS = 500

/** The agent's own loop, on a clock that moves when everything waits for it. */
class Loop {
  readonly #host: ScriptedHost
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  readonly started: number

  constructor(host: ScriptedHost) {
    this.#host = host
    host.lookMs = LOOK_MS
    this.started = host.clock.now()
    this.#ended = host.core.run(this.#stop.signal)
  }

  /** When the log first had this line, since the loop began. */
  async timeOf(line: string, withinMs: number): Promise<number> {
    const { clock, log } = this.#host
    const until = this.started + withinMs
    while (!log.includes(line) && clock.now() <= until) await this.step()
    if (!log.includes(line)) throw new Error(`not within ${withinMs} ms: ${log.join('; ')}`)
    return clock.now() - this.started
  }

  async go(ms: number): Promise<void> {
    const { clock } = this.#host
    const until = clock.now() + ms
    while (clock.now() < until) await this.step()
  }

  async step(): Promise<void> {
    for (let i = 0; i < 20; i++) await turn()
    const { clock } = this.#host
    clock.move(Math.max(0, (clock.next() ?? clock.now()) - clock.now()))
    for (let i = 0; i < 20; i++) await turn()
  }

  async end(): Promise<void> {
    this.#stop.abort()
    for (let i = 0; i < 20; i++) await this.step()
    await this.#ended
  }
}

/** From now on nothing answers; what the last look saw was sent when it began. */
function cut(host: ScriptedHost, more: Partial<Sighting> = {}): Loop {
  host.sighting = { ...host.sighting, ...SILENT, ...more }
  return new Loop(host)
}

test('a cut-off leader stops at the fence time to the millisecond, in the middle of a look', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  const loop = cut(host, GATEWAY_LOST)
  expect(await loop.timeOf('converge impair urgent', 10_000)).toBe(3000)
  await loop.end()
})

test('a follower promotes when four looks have failed, and not before its leader has stopped', async () => {
  const host = await follower()
  const loop = cut(host)
  const at = await loop.timeOf('meta 3/3 alone h2 h1_3_1', 10_000)
  // The loop's first look is the first that fails: an interval after the last answer in a real cut.
  expect(at).toBe(4000)
  await loop.end()
})

test('a leader that loses everything in the middle of a hand-over stops at the fence time: it waits for no answer', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE }
  host.handOvers = () => new Promise(() => {})
  await host.rounds(1)
  void host.core.ask({ kind: 'switchover' })
  await host.core.round()
  expect(host.log).toContain('hand-over: prepare 2')
  const loop = cut(host, GATEWAY_LOST)
  expect(await loop.timeOf('converge impair urgent', 10_000)).toBe(3000)
  await loop.end()
})

test('a ping that comes back before the deadline, while a look is under way, puts a promotion off', async () => {
  const host = await follower()
  const loop = cut(host)
  await loop.go(3500)
  const sentAt = loop.started + 3600
  host.heard = { gateway: null, peerPing: { sentAt, arrivedAt: sentAt } }
  await loop.go(600)
  host.heard = { gateway: null, peerPing: null }
  // Four looks that began after it have to fail; the first of them begins at 4500.
  expect(await loop.timeOf('meta 3/3 alone h2 h1_3_1', 20_000)).toBe(4500 + 3500)
  await loop.end()
})

test('a commit that waits is looked at again when it will have waited too long (B7)', async () => {
  const host = await leader()
  host.converges = { alone: () => DONE }
  host.voids = () => true
  host.sighting = { ...host.sighting, ...leading({ oldestWaitMs: 1000 }) }
  const loop = new Loop(host)
  await loop.step()
  host.sighting = { ...host.sighting, ...leading({ oldestWaitMs: 1520 }) }
  expect(await loop.timeOf('converge alone urgent', 5000)).toBeLessThan(1100)
  await loop.end()
})

test('after a change the next round comes at once', async () => {
  const host = await follower()
  host.sighting = { ...host.sighting, ...answers({ meta: pairMeta({ mode: 'alone', term: 3 }) }) }
  const loop = new Loop(host)
  await loop.timeOf('meta 3/1 alone h1 h2_1_1', 2000)
  const adopted = host.clock.now()
  host.sighting = { ...host.sighting, ...answers({ meta: pairMeta({ term: 4 }) }) }
  await loop.timeOf('meta 4/1 paired h1 h2_1_1', 5000)
  expect(host.clock.now() - adopted).toBeLessThanOrEqual(LOOK_MS)
  await loop.end()
})

test('what fails at once does not make the loop spin', async () => {
  const host = await leader()
  host.disks = () => Promise.reject(new Error('no space left on device'))
  host.sighting = {
    ...host.sighting,
    ...answers({ meta: pairMeta({ term: 3, branch: 3, leader: 'h2', mode: 'alone' }) }),
  }
  host.converges = {}
  const loop = new Loop(host)
  await loop.go(10_000)
  expect(host.looks).toBeLessThan(25)
  await loop.end()
})

test('an agent that was frozen stops its leader before it looks (A8)', async () => {
  const host = await leader()
  let looksBefore = Infinity
  const impair = () => {
    looksBefore = host.looks
    return DONE
  }
  host.converges = { impair, role: () => DONE }
  const loop = new Loop(host)
  await loop.step()
  await loop.step()
  const { looks } = host
  host.clock.move(30_000)
  await loop.timeOf('converge impair urgent', 40_000)
  expect(looksBefore).toBe(looks)
  expect(host.core.status().meta).toEqual(META)
  await loop.end()
})

test('what ends slowly keeps no agent from its rounds for as long as the guard waits (B9)', async () => {
  const host = await leader()
  host.converges = {
    role: (_, stop) =>
      new Promise((resolve) => {
        const ended = async () => {
          await host.clock.sleep(3500, new AbortController().signal)
          resolve({ kind: 'stopped' })
        }
        stop.addEventListener('abort', () => void ended())
      }),
    impair: () => DONE,
  }
  // The reconcile of every five minutes is under way when the leader is cut off.
  for (let i = 0; i < 305; i++) {
    host.clock.move(1000)
    await host.core.round()
  }
  expect(host.log).toEqual(['converge role,routine'])
  const loop = cut(host, GATEWAY_LOST)
  let looks = host.looks
  let lookedAt = host.clock.now()
  let longest = 0
  while (host.clock.now() < loop.started + 12_000) {
    await loop.step()
    longest = Math.max(longest, host.clock.now() - lookedAt)
    if (host.looks > looks) lookedAt = host.clock.now()
    looks = host.looks
  }
  expect(host.log).toContain('converge impair urgent')
  expect(longest).toBeLessThan(2000)
  await loop.end()
})

test('what waits for something to end gives way to what is more pressing, which begins in its place', async () => {
  const { clock } = await leader()
  const jobs = new Jobs(clock, 1000, () => {})
  const begun: string[] = []
  const slow = new EventEmitter()
  const work = (name: string) => () => {
    begun.push(name)
    return Promise.resolve(true)
  }
  await jobs.begin('settle', async () => (await once(slow, 'end')).length === 0)
  const handOver = jobs.begin('hand-over', work('hand-over'))
  const impair = jobs.begin('impair', work('impair'))
  await expect(handOver).resolves.toBe(false)
  await expect(jobs.begin('promote', work('promote'))).resolves.toBe(false)
  expect(begun).toEqual([])
  slow.emit('end')
  await expect(impair).resolves.toBe(true)
  await jobs.idle()
  expect(begun).toEqual(['impair'])
})

test('kine is killed the moment a leader is cut off, and does not outlive what has to end before (A8, B1)', async () => {
  const host = await leader()
  host.converges = { role: () => new Promise(() => {}), impair: () => DONE }
  host.permitted = false
  for (const lost of [{}, SILENT, SILENT, SILENT, SILENT]) {
    host.sighting = { ...host.sighting, ...lost, ...(lost === SILENT ? GATEWAY_LOST : {}) }
    host.clock.move(1000)
    await host.core.round()
  }
  expect(host.log).toEqual(['converge role', 'kine is killed'])
  host.clock.move(4000)
  await turn()
  expect(host.log.slice(2)).toEqual(['converge impair urgent'])
})

test('what does not end when it is told to holds nothing up for longer than 4 s', async () => {
  const { clock } = await leader()
  const jobs = new Jobs(clock, 1000, () => {})
  await jobs.begin('settle', () => new Promise(() => {}))
  const impair = jobs.begin('impair', () => Promise.resolve(true))
  await turn()
  clock.move(4000)
  await expect(impair).resolves.toBe(true)
})
