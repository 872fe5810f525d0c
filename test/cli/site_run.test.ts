import { describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Event } from '../../src/core/events.ts'
import type { FromRunner, ToRunner } from '../../src/core/protocol.ts'
import type { RunnerSession, SessionListener } from '../../src/cli/runner_session.ts'
import { runBounded, runSite, type SiteRunPorts } from '../../src/cli/site_run.ts'
import { helloOf, settingsOf, summaryOf } from './support/scripted_pair.ts'

interface FakeHost {
  readonly listener: SessionListener
  readonly sent: ToRunner[]
  readonly blobs: string[]
  closed: boolean
  say(message: FromRunner): void
}

/** Sessions whose messages the test says itself. */
function fakeHosts(early: (host: string) => readonly FromRunner[] = () => []) {
  const hosts = new Map<string, FakeHost>()
  const events: Event[] = []
  const connect: SiteRunPorts['connect'] = (name, listener) => {
    const host: FakeHost = {
      listener,
      sent: [],
      blobs: [],
      closed: false,
      say: (message) => listener.onMessage(message),
    }
    hosts.set(name, host)
    const session: RunnerSession = {
      send: (message) => void host.sent.push(message),
      sendBlob: (sha256) => void host.blobs.push(sha256),
      roundTrips: () => 7,
      close: () => {
        host.closed = true
      },
    }
    // Before the promise of the session is kept, as a quick runner may.
    early(name).forEach((message) => host.say(message))
    return Promise.resolve(session)
  }
  const ports: SiteRunPorts = {
    connect,
    blobs: new Map([['aa', { path: '/tmp/kine', size: 3, name: 'kine' }]]),
    emit: (event) => void events.push(event),
    now: () => 0,
    onInterrupt: () => () => {},
  }
  return { hosts, events, ports }
}

const brokenPrinter = () => {
  throw new RangeError('no paper')
}

const one = settingsOf({ participants: ['h1'] })
const observed = (host: string): FromRunner => ({
  type: 'observed',
  pending: [],
  events: [summaryOf(host)],
})

describe('one site', () => {
  test('hears a runner that speaks before its session is there', async () => {
    const { hosts, ports } = fakeHosts((name) => [helloOf(name)])
    const running = runSite(one, ports)
    await expect.poll(() => hosts.get('h1')?.sent.map(({ type }) => type)).toEqual(['go'])
    hosts.get('h1')?.say(observed('h1'))
    expect(await running).toBe(0)
  })

  test('sends the blobs that it knows and refuses others', async () => {
    const { hosts, ports } = fakeHosts((name) => [
      helloOf(name),
      { type: 'need-blob', sha256: 'aa' },
    ])
    const running = runSite(one, ports)
    await expect.poll(() => hosts.get('h1')?.blobs).toEqual(['aa'])
    hosts.get('h1')?.say({ type: 'need-blob', sha256: 'bb' })
    expect(hosts.get('h1')?.sent).toContainEqual({
      type: 'no-blob',
      sha256: 'bb',
      reason: 'it is not in this plan',
    })
    hosts.get('h1')?.say(observed('h1'))
    await running
  })

  test('ends with a summary that counts round trips, and closes every session', async () => {
    const { hosts, events, ports } = fakeHosts((name) => [helloOf(name)])
    const running = runSite(settingsOf(), ports)
    await expect.poll(() => hosts.get('h2')?.sent.length).toBe(1)
    hosts.get('h1')?.say(observed('h1'))
    hosts.get('h2')?.say(observed('h2'))
    await running
    expect(events.at(-1)).toMatchObject({
      event: 'summary',
      hosts: { h1: { roundTrips: 7 }, h2: { roundTrips: 7 } },
    })
    expect([...hosts.values()].map(({ closed }) => closed)).toEqual([true, true])
  })

  test('an error of the connection is an event of its host', async () => {
    const { events, ports } = fakeHosts()
    const refused = new TwonodeError('E_HOST_KEY', 'h1: its key has changed')
    const exitCode = await runSite(one, { ...ports, connect: () => Promise.reject(refused) })
    expect(exitCode).toBe(4)
    expect(events[0]).toEqual({ event: 'trouble', host: 'h1', trouble: refused.toTrouble() })
  })

  test('a fault in a reporter ends the run as what it is, and leaves no session open', async () => {
    const { hosts, ports } = fakeHosts((name) => [helloOf(name)])
    await expect(runSite(one, { ...ports, emit: brokenPrinter })).rejects.toThrow('no paper')
    expect(hosts.get('h1')?.closed).toBe(true)
  })
})

describe('many sites', () => {
  test('at most twenty run beside each other, and each gives its code in order', async () => {
    let running = 0
    let most = 0
    const jobs = Array.from({ length: 50 }, (_, i) => async () => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
      return i % 2 === 0 ? (0 as const) : (10 as const)
    })
    const codes = await runBounded(jobs)
    expect(most).toBe(20)
    expect(codes).toHaveLength(50)
    expect(codes.slice(0, 4)).toEqual([0, 10, 0, 10])
  })
})
