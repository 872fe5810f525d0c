import { expect, test } from 'vitest'
import type { OpenSession } from '../../src/cli/runner_session.ts'
import { TwonodeError } from '../../src/core/errors.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { FILES, SECRETS } from './support/fixtures.ts'
import { type Said, talkingHosts } from './support/talking_hosts.ts'
import { runCommandLine, type TestWorldOptions } from './support/test_world.ts'

const LINE = 'switchover -i inventory.yaml'
const PAIR = { branch: 1, mode: 'paired', settled: 'yes', keptAside: [] }
const PLAN = { kind: 'plan', from: 'h1', to: 'h2', term: 2, message: 'h1 leads and h2 follows' }

/** A pair that h1 leads until it is asked. */
class Pair {
  hasSwitched = false
  /** Why the follower does not come through. */
  fault = ''
  refusal = ''
  readonly #hosts = talkingHosts((host, words) => this.#say(host, words))

  async run(line: string, more: TestWorldOptions = {}) {
    const { open, asked } = this.#hosts
    const result = await runCommandLine(line, { files: FILES, env: SECRETS, open, ...more })
    return { ...result, asked }
  }

  /** The same laptop, from which some are out of reach. */
  without(away: readonly string[]): OpenSession {
    return async (request, listener) => {
      const { name } = request.host
      if (away.includes(name)) throw new TwonodeError('E_UNREACHABLE', `${name}: no answer`)
      return await this.#hosts.open(request, listener)
    }
  }

  #say(host: string, [command, ...options]: readonly string[]): Said {
    if (command === 'status') return [this.#status(host)]
    if (command === 'timeline') return this.#account(host)
    if (this.refusal !== '') return this.refusal
    if (options.includes('--check')) return [PLAN]
    this.hasSwitched = true
    return [PLAN, { message: 'begun' }]
  }

  #status(host: string): JsonObject {
    const switched = this.hasSwitched && this.fault === ''
    const leader = switched ? 'h2' : 'h1'
    const term = switched ? 4 : 2
    const role = host === leader ? 'leader' : 'follower'
    const fork = switched ? { max: 41 } : null
    const began = fork === null ? 'first' : 'handover'
    return { ...PAIR, host, role, leader, term, began, fork, promotable: role === 'follower' }
  }

  #account(host: string): readonly JsonObject[] {
    const before = { at: '2026-11-22T12:00:00.000Z', host, kind: 'agent', text: `${host} starts` }
    if (!this.hasSwitched) return [before]
    const after = { at: '2026-11-22T12:00:01.000Z', host, text: `${host} hands over` }
    const fault = { kind: 'fault', what: 'hand-over', message: this.fault }
    return [before, { ...after, ...(this.fault !== '' && host === 'h1' ? fault : { kind: 'x' }) }]
  }
}

test('the leader is found and asked, and what follows is told: plan, steps, proof', async () => {
  const { exit, out, asked } = await new Pair().run(LINE)
  expect(out).toMatchInlineSnapshot(`
    "h1 leads and h2 follows
    h1 hands over
    h2 hands over
    h2 leads in term 4, branch 1; h1 follows, and could take over
    nobody wrote when both tables were compared, and they were equal
    revision 41 before, 42 after: the new branch's marker
    nothing was copied
    "
  `)
  expect(exit).toBe(0)
  expect(asked.filter((line) => line.includes('switchover'))).toEqual([
    'h1: switchover --check',
    'h1: switchover --no-wait',
  ])
})

test('--json is one object a line', async () => {
  const { out } = await new Pair().run(`${LINE} --json`)
  const kinds = out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as JsonObject)['kind'])
  expect(kinds).toEqual(['plan', 'step', 'step', 'proof'])
})

test('--check asks for nothing', async () => {
  const pair = new Pair()
  const { exit, out } = await pair.run(`${LINE} --check --to h2`)
  expect([exit, out, pair.hasSwitched]).toEqual([0, `${PLAN.message}\n`, false])
})

test('to the host that leads there is nothing to do', async () => {
  const { exit, out, asked } = await new Pair().run(`${LINE} --to h1`)
  expect([exit, out]).toEqual([0, 'h1 leads already: nothing is to be done\n'])
  expect(asked).toEqual(['h1: status', 'h2: status'])
})

test("a refusal is the agent's own, with its way out", async () => {
  const pair = new Pair()
  pair.refusal =
    'E_FAILED: nothing is done: h2 is paused by an operator\n  `twonode resume` on h2 first\n'
  const { exit, err } = await pair.run(LINE)
  expect(exit).toBe(3)
  expect(err).toContain(
    'error E_FAILED: nothing is done: h2 is paused by an operator\n  `twonode resume`',
  )
})

test('25: a hand-over that fails half-way says so, and that the old leader leads on', async () => {
  const pair = new Pair()
  pair.fault = 'the digests of the two tables differ'
  const { exit, err } = await pair.run(LINE)
  expect(exit).toBe(3)
  expect(err).toContain('error E_FAILED: h1 leads on: the digests of the two tables differ')
})

test.each([
  ['both hosts', ['h1', 'h2'], 'no host of the pair can be asked'],
  ['the leader', ['h1'], 'the host that can be asked does not lead'],
])(
  '%s can not be reached: the exit is 4, as of all commands, and no --limit is offered',
  async (_, away, words) => {
    const pair = new Pair()
    const { exit, err } = await pair.run(`${LINE} --check`, { open: pair.without(away) })
    expect(exit).toBe(4)
    for (const name of away) expect(err).toContain(`error E_UNREACHABLE: ${name}: no answer`)
    expect(err).toContain(`error E_UNREACHABLE: ${words}`)
    expect(err).not.toContain('--limit')
  },
)

test.each([
  [`${LINE} --to h3`, /there is no host h3 in site edge\n +Its hosts are h1 and h2/],
  [`${LINE} --site west`, /west/],
])('%s is refused before anybody is asked', async (line, words) => {
  const { exit, err } = await runCommandLine(line, { files: FILES, env: SECRETS })
  expect([exit, err]).toEqual([2, expect.stringMatching(words)])
})
