import { describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Event, StepEvent } from '../../src/core/events.ts'
import type { FromRunner } from '../../src/core/protocol.ts'
import type { OpenSession, SessionRequest } from '../../src/cli/runner_session.ts'
import { serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { FILES, SECRETS } from './support/fixtures.ts'
import { helloOf, SITE, summaryOf } from './support/scripted_pair.ts'
import { PLAYBOOKS, runCommandLine, type TestWorldOptions } from './support/test_world.ts'

/** Two hosts whose agents answer, and take each other in as they are told. */
class Hosts {
  readonly requests: SessionRequest[] = []
  /** What was run, in order: `look`, `ask`, or the tags of a converge. */
  readonly runs: string[] = []
  term = 3
  mode: 'alone' | 'paired' = 'alone'
  peer = 'silent'
  /** h2 has been converged. */
  follows = false
  /** What the survivor's agent says to the request; empty: it accepts. */
  refusal = ''
  /** Why a host can't be reached. */
  away: TwonodeError | undefined
  whoIsAway = 'h2'
  /** The pair is made at the end of the converge. */
  pairs = true
  /** Somebody presses Ctrl-C in the converge. */
  interrupts = false

  readonly open: OpenSession = async (request, listener) => {
    const { name } = request.host
    this.requests.push(request)
    if (name === this.whoIsAway && this.away !== undefined) throw this.away
    const say = (message: FromRunner) => queueMicrotask(() => listener.onMessage(message))
    const hostMeta = name === 'h1' || this.follows ? this.#meta() : null
    say(helloOf(name, { hostMeta }))
    return await Promise.resolve({
      send: (message) => {
        if (message.type === 'go')
          say({ type: 'observed', pending: [], events: this.#events(request) })
      },
      sendBlob: () => {},
      roundTrips: () => 9,
      close: () => queueMicrotask(() => listener.onEnd(undefined)),
    })
  }

  #events({ host: { name }, opening }: SessionRequest): readonly Event[] {
    if (opening.type !== 'plan') throw new Error('a session opens with its plan')
    const [play] = opening.plan.plays
    const [step] = play?.steps ?? []
    if (step?.register === 'agent') {
      if (name === 'h1') this.runs.push('look')
      return [this.#agent(name), summaryOf(name)]
    }
    if (step?.module === 'command') return this.#asked(name, step.args['argv'])
    if (name === 'h1') this.runs.push(`converge ${opening.options.tags.join()}`.trim())
    if (this.interrupts) {
      const trouble = new TwonodeError('E_INTERRUPTED', `${name}: interrupted`).toTrouble()
      return [{ event: 'trouble', host: name, trouble }, summaryOf(name, 130)]
    }
    if (opening.options.tags.length === 0) this.#converged()
    return [summaryOf(name)]
  }

  #asked(name: string, argv: unknown): readonly Event[] {
    this.runs.push(`ask ${name}: ${String(argv)}`)
    if (this.refusal === '') this.term += 1
    const { code, message, hint } = new TwonodeError('E_COMMAND_FAILED', 'twonode exited 3')
    const trouble = { code, exitCode: 3, message, hint, detail: this.refusal } as const
    const told = this.refusal === '' ? {} : { status: 'failed' as const, trouble }
    return [{ ...stepOf(name, 'asked'), ...told }, summaryOf(name, this.refusal === '' ? 0 : 3)]
  }

  #converged(): void {
    this.follows = true
    if (!this.pairs || this.mode === 'paired') return
    this.mode = 'paired'
    this.peer = 'answers'
    this.term += 1
  }

  #agent(name: string): StepEvent {
    if (name === 'h2' && !this.follows)
      return { ...stepOf(name, 'agent'), status: 'failed', result: {} }
    const { mode, peer } = this
    const says = { mode, peer, settled: 'yes', promotable: name === 'h2', stream: 'caught-up' }
    return { ...stepOf(name, 'agent'), result: { code: 0, stdout: `${JSON.stringify(says)}\n` } }
  }

  #meta(): string {
    const { term, mode } = this
    return serialiseHostMeta({
      format: 1,
      site: 'edge',
      term,
      branch: 1,
      mode,
      leader: 'h1',
      slot: 'h2_1_1',
      began: 'first',
      fork: null,
      hosts: SITE.hosts.map((host, i) => ({ ...host, role: i === 0 ? 'leader' : 'follower' })),
      controlPlaneEndpoint: '10.0.0.11:6443',
      lastModified: '2026-11-21T00:00:00Z',
    })
  }
}

function stepOf(host: string, register: string): StepEvent {
  return {
    event: 'step',
    host,
    play: 'p',
    task: register,
    module: 'assert',
    status: 'ok',
    register,
    durationMs: 1,
  }
}

const LINE = 'replace -i inventory.yaml --host h2 --for h2'
const ASKED = 'ask h1: /usr/local/bin/twonode,replace,--for,h2,--host,h2,--address,10.0.0.12'

async function run(line: string, hosts: Hosts, more: TestWorldOptions = {}) {
  const files = { ...FILES, [`${PLAYBOOKS}/site.yaml`]: FILES['site.yaml'] }
  const world = { files, env: { ...SECRETS, ...more.env }, open: hosts.open }
  return await runCommandLine(line, { ...world, ...more, env: world.env })
}

test('the survivor is asked when the new host is prepared, then both are converged, and it ends when they are a pair', async () => {
  const hosts = new Hosts()
  const { exit, out } = await run(`${LINE} --yes --json`, hosts)
  expect(hosts.runs).toEqual(['look', 'converge packages', ASKED, 'look', 'converge', 'look'])
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
  expect(events.filter(({ event }) => event === 'summary')).toHaveLength(1)
  expect(events.at(-1)).toMatchObject({ event: 'summary', site: 'edge', exitCode: 0 })
  expect(out).toContain('h1 and h2 are a pair, in term 5')
  expect(exit).toBe(0)

  hosts.runs.length = 0
  expect((await run(`${LINE} --yes`, hosts)).out).toContain('nothing is replaced')
  expect(hosts.runs, 'what is done is found done').toEqual(['look'])
})

test('cut after the survivor had accepted, it goes on with the converge', async () => {
  const hosts = new Hosts()
  hosts.follows = true
  expect((await run(`${LINE} --yes`, hosts)).exit).toBe(0)
  expect(hosts.runs).toEqual(['look', 'converge packages', 'converge', 'look'])
})

test('--check says whether it could be, with exit 10, and changes nothing', async () => {
  const hosts = new Hosts()
  const { exit, out } = await run(`${LINE} --check`, hosts)
  expect(out).toContain('the new h2 can take its place')
  expect(exit).toBe(10)
  expect(hosts.runs).toEqual(['look'])
})

describe('nothing is changed', () => {
  test('when the old host answers: exit 5, and what to do', async () => {
    const hosts = new Hosts()
    hosts.peer = 'answers'
    const { exit, out } = await run(`${LINE} --yes`, hosts)
    expect(out).toMatch(/E_REPLACEMENT: h2 answers h1/)
    expect(out).toMatch(/Power h2 off/)
    expect(exit).toBe(5)
    expect(hosts.runs).toEqual(['look'])
  })

  test('when nobody is there to say that the old one is gone for good, or says no', async () => {
    const hosts = new Hosts()
    const nobody = await run(LINE, hosts)
    expect(nobody.err).toContain('Pass --yes')
    expect(nobody.exit).toBe(2)
    expect(hosts.runs).toEqual([])
    const no = await run(LINE, hosts, { answers: ['no'] })
    expect(no.err).toContain('The old h2 must never come back')
    expect(no.exit).toBe(130)
    expect(hosts.runs).toEqual(['look'])
  })

  test('when one of the two is not there: exit 4', async () => {
    const hosts = new Hosts()
    hosts.away = new TwonodeError('E_UNREACHABLE', 'h2: no answer')
    const { exit, out } = await run(`${LINE} --yes`, hosts)
    expect(out).toContain('The new h2 has to be up, with sshd, at 10.0.0.12')
    expect(out).not.toContain('--limit')
    expect(exit).toBe(4)
    hosts.whoIsAway = 'h1'
    const alone = await run(`${LINE} --yes`, hosts)
    expect(alone.out).toContain('Only h1 can take another host in')
    expect(alone.exit).toBe(4)
  })

  test('when it shows another key than the old one: both fingerprints, and how to go on', async () => {
    const hosts = new Hosts()
    const changed = 'h2: host key changed: it shows SHA256:b, but known is SHA256:a (known_hosts:2)'
    hosts.away = new TwonodeError('E_HOST_KEY', changed)
    const { exit, out } = await run(`${LINE} --yes`, hosts)
    expect(out).toContain(changed)
    expect(out).toMatch(
      /ssh-keygen -R 10\.0\.0\.12.*--accept-new-host-keys: here that is for h2 alone/,
    )
    expect(exit).toBe(4)
  })

  test('when the agent of the survivor refuses: exit 5, in its own words', async () => {
    const hosts = new Hosts()
    hosts.refusal = 'E_FAILED: h2 is not replaced: h2 answers\n  Power it off.'
    const { exit, out } = await run(`${LINE} --yes`, hosts)
    expect(out).toContain('E_REPLACEMENT: the agent of h1: h2 is not replaced: h2 answers\n')
    expect(exit).toBe(5)
    expect(hosts.runs).not.toContain('converge')
  })

  test.each([
    ['--host h4 --for h2', 'no host h4'],
    ['--host h2 --for h1', 'the host that stays'],
    ['--host h2 --for h2 --timeout long', 'is no duration'],
  ])('for %s: exit 2, before a connection', async (names, words) => {
    const hosts = new Hosts()
    const { exit, err } = await run(`replace -i inventory.yaml ${names} --yes`, hosts)
    expect(err).toContain(words)
    expect(exit).toBe(2)
    expect(hosts.requests).toEqual([])
  })
})

test('a new key is accepted of the new host alone', async () => {
  const hosts = new Hosts()
  await run(`${LINE} --yes --accept-new-host-keys`, hosts)
  const accepting = hosts.requests.filter(({ acceptNewHostKeys }) => acceptNewHostKeys)
  expect(new Set(accepting.map(({ host }) => host.name))).toEqual(new Set(['h2']))
})

test('a pair that is not made in time is exit 3, with what it waits for', async () => {
  const hosts = new Hosts()
  hosts.pairs = false
  let now = 0
  const { exit, out } = await run(`${LINE} --yes --timeout 1m`, hosts, {
    onWorld: (world) => Object.assign(world, { now: () => (now += 20_000) }),
  })
  expect(out).toMatch(/E_FAILED: after \d+ s it still waits for: h1 does not hear h2's agent/)
  expect(out).toContain('Run `twonode replace -i inventory.yaml --host h2 --for h2` again')
  expect(exit).toBe(3)
})

test('cut in its converge, it names itself and not a converge: that one would make no pair', async () => {
  const hosts = new Hosts()
  hosts.interrupts = true
  const { exit, out } = await run(`${LINE} --yes`, hosts)
  expect(out).toContain('E_INTERRUPTED')
  expect(out).toContain('Run `twonode replace -i inventory.yaml --host h2 --for h2` again')
  expect(out).not.toContain('the converge again')
  expect(exit).toBe(130)
})
