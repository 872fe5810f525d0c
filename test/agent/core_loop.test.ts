import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
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
