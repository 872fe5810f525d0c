import { describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Event, StepEvent } from '../../src/core/events.ts'
import type { OpenSession } from '../../src/cli/runner_session.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { hostMetaText } from './support/host_meta_text.ts'
import { summaryOf } from './support/scripted_pair.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const ASSERTION = `- hosts: all
  tasks:
    - name: kine answers
      assert: { command: [systemctl, is-active, kine.service], that: [code == 0] }
      register: kine
    - name: agent
      assert: { command: [twonode, status, --json], that: ['true'] }
      register: agentSays
`
const world = {
  env: SECRETS,
  files: {
    'inventory.yaml': INVENTORY,
    'own.yaml': ASSERTION,
    [`${PLAYBOOKS}/status.yaml`]: ASSERTION,
    [`${PLAYBOOKS}/verify.yaml`]: ASSERTION,
  },
}

const META = hostMetaText()

function found(host: string, more: Partial<StepEvent> = {}): readonly Event[] {
  const step: StepEvent = {
    event: 'step',
    host,
    play: 'p',
    task: 'kine answers',
    module: 'assert',
    status: 'ok',
    register: 'kine',
    result: { rows: [], code: 0, stdout: 'active\n', stderr: '' },
    durationMs: 1,
    ...more,
  }
  return [step, summaryOf(host, step.status === 'failed' ? 3 : 0)]
}

/** What the agent of a host answers. */
function saysOf(host: string, says: object): StepEvent {
  const result = { rows: [], code: 0, stdout: `${JSON.stringify(says)}\n`, stderr: '' }
  const asked = { play: 'p', task: 'agent', module: 'assert', status: 'ok', durationMs: 1 } as const
  return { event: 'step', host, register: 'agentSays', result, ...asked }
}

const trouble = { code: 'E_FAILED', exitCode: 3, message: 'kine is down', hint: 'Look.' } as const

/** The second host is gone. */
function oneGone(open: OpenSession): OpenSession {
  return async (request, listener) => {
    if (request.host.name === 'h2') throw new TwonodeError('E_UNREACHABLE', 'h2: no answer')
    return await open(request, listener)
  }
}

/** A minute lies between the two. */
const clocksApart: OpenSession = async (request, listener) => {
  const clockMs = request.host.name === 'h1' ? 0 : 60_000
  return await idleRunners((host) => found(host), { clockMs }).open(request, listener)
}

/** The second host lets nobody become root. */
const noSudo =
  (open: OpenSession): OpenSession =>
  async (request, listener) => {
    if (request.host.name === 'h2') throw new TwonodeError('E_SUDO', 'h2: sudo refuses')
    return await open(request, listener)
  }

test.each(['status', 'facts'])(
  '%s of a host that can not be used is no success',
  async (command) => {
    const { open } = idleRunners((host) => found(host))
    const { exit, err } = await runCommandLine(`${command} -i inventory.yaml`, {
      ...world,
      open: noSudo(open),
    })
    expect(err).toContain('error E_SUDO: h2: sudo refuses')
    expect(exit).toBe(3)
  },
)

describe('status', () => {
  test('is a table with a column a host', async () => {
    const { open, requests } = idleRunners((host) => found(host), { hostMeta: META })
    const { exit, out } = await runCommandLine('status -i inventory.yaml', { ...world, open })
    expect(exit).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "site edge  h1      h2
      role       leader  follower
      mode       paired  paired
      term       2       2
      branch     1       1
      kine       active  active

      h1 leads, h2 follows: every write is on both disks
      "
    `)
    const [first] = requests
    const options = first?.opening.type === 'plan' ? first.opening.options : undefined
    expect(options).toMatchObject({ check: true, report: true })
  })

  test.each(['', 'initialLeader: h1\n'])(
    'who leads is no matter for a note, whatever the inventory has (%j)',
    async (line) => {
      const { open } = idleRunners((host) => found(host), {
        hostMeta: hostMetaText({ leader: 'h2' }),
      })
      const files = { ...world.files, 'inventory.yaml': `${INVENTORY}${line}` }
      const { out, err } = await runCommandLine('status -i inventory.yaml', {
        ...world,
        files,
        open,
      })
      expect(out).toContain('h2 leads, ')
      expect(err).toBe('')
    },
  )

  test('--json is one object a site', async () => {
    const { open } = idleRunners((host) => found(host), { hostMeta: META })
    const { out } = await runCommandLine('status -i inventory.yaml --json', { ...world, open })
    const common = { reachable: true, mode: 'paired', term: 2, branch: 1, kine: 'active' }
    expect(JSON.parse(out)).toEqual({
      site: 'edge',
      standing: 'whole',
      verdict: 'h1 leads, h2 follows: every write is on both disks',
      hosts: { h1: { role: 'leader', ...common }, h2: { role: 'follower', ...common } },
    })
  })

  test('--json holds the virtual address alone on the host that has it, and null on the other', async () => {
    const { open } = idleRunners(
      (host) => {
        const line = host === 'h1' ? 'eth0             UP             10.0.0.10/24 \n' : ''
        const result = { rows: [], code: 0, stdout: line, stderr: '' }
        const asked = { task: 'virtual address', register: 'virtualIp', result }
        return found(host, host === 'h1' ? asked : { ...asked, status: 'failed', trouble })
      },
      { hostMeta: META },
    )
    const playbook = ASSERTION.replace('kine answers', 'virtual address').replace(
      'register: kine',
      'register: virtualIp',
    )
    const files = { ...world.files, [`${PLAYBOOKS}/status.yaml`]: playbook }
    const { out } = await runCommandLine('status -i inventory.yaml --json', {
      ...world,
      files,
      open,
    })
    expect(JSON.parse(out)).toMatchObject({
      hosts: { h1: { virtualIp: '10.0.0.10' }, h2: { virtualIp: null } },
    })
  })

  test('what could not be found out is a dash, and no reason for another exit code', async () => {
    const failed = { status: 'failed', trouble, result: {} } as const
    const { open } = idleRunners((host) => found(host, failed), { hostMeta: META })
    const { exit, out } = await runCommandLine('status -i inventory.yaml', { ...world, open })
    expect(exit).toBe(0)
    expect(out).toMatch(/^kine +– +–$/m)
  })

  test('two hosts that are no pair yet have no role, and serve nobody; exit 3', async () => {
    const { open } = idleRunners((host) => found(host))
    const { exit, out } = await runCommandLine('status -i inventory.yaml', { ...world, open })
    expect(exit).toBe(3)
    expect(out).toMatch(/^role +– +–$/m)
    expect(out).toContain('\nnobody serves: there is no pair yet: `twonode converge` makes one\n')
  })

  test('that nobody serves is said with the way out; exit 3', async () => {
    const says = { paused: true, frozen: false, impaired: true, peer: 'cut' }
    const { open } = idleRunners((host) => [saysOf(host, says), ...found(host)], { hostMeta: META })
    const { exit, out } = await runCommandLine('status -i inventory.yaml', { ...world, open })
    expect(exit).toBe(3)
    expect(out).toMatch(/^paused +yes +yes$/m)
    expect(out).not.toContain('agent says')
    expect(out).toContain('nobody serves: h1 leads, but it has stopped taking writes')
    expect(out).toContain('`twonode resume` on h1')
  })

  test('a host that is gone is said to be, and the other is shown; exit 4', async () => {
    const { open } = idleRunners((host) => found(host), { hostMeta: META })
    const { exit, out, err } = await runCommandLine('status -i inventory.yaml', {
      ...world,
      open: oneGone(open),
    })
    expect(exit).toBe(4)
    expect(err).toContain('error E_UNREACHABLE: h2: no answer')
    expect(out).toMatch(/^reachable +yes +no$/m)
    expect(out).toMatch(/^role +leader$/m)
    expect(err).not.toContain('--limit')
  })

  test('a converge that a missing host stops names the way on with the other one; exit 4', async () => {
    const { open } = idleRunners((host) => found(host), { hostMeta: META })
    const { exit, out } = await runCommandLine('converge own.yaml -i inventory.yaml', {
      ...world,
      open: oneGone(open),
    })
    expect(exit).toBe(4)
    expect(out).toContain('error E_UNREACHABLE: h2: no answer')
    expect(out).toContain('`--limit HOST` goes on with the other one.')
  })
})

describe('verify', () => {
  test('is 0 when every check passes', async () => {
    const { open } = idleRunners((host) => found(host), { hostMeta: META })
    const { exit, out } = await runCommandLine('verify -i inventory.yaml', { ...world, open })
    expect(exit).toBe(0)
    expect(out).toContain('site edge')
  })

  test.each([
    ['both stand alone', META.replace('paired', 'alone'), {}, 'h1 leads alone since'],
    ['a host is paused', META, { paused: true }, 'paused by an operator'],
    ['a host is frozen', META, { frozen: true }, 'frozen by too many changes'],
  ])(
    'is 3 when every check passes and %s, and says what to do first',
    async (_, hostMeta, more, text) => {
      const says = { paused: false, frozen: false, impaired: false, peer: 'answers', ...more }
      const { open } = idleRunners((host) => [saysOf(host, says), ...found(host)], { hostMeta })
      const { exit, out } = await runCommandLine('verify -i inventory.yaml', { ...world, open })
      expect(exit).toBe(3)
      expect(out).toContain('error E_UNHEALTHY')
      expect(out).toContain(text)
      expect(out).toMatch(/site edge .* 1 finding/)
    },
  )

  test.each([
    { status: 'failed', trouble },
    { status: 'unknown' },
    { status: 'would-change' },
  ] as const)('is 3 when a check is $status', async (more) => {
    const exitCode = more.status === 'failed' ? 3 : 10
    const { open } = idleRunners((host) => [
      ...found(host, more).slice(0, 1),
      summaryOf(host, exitCode),
    ])
    expect((await runCommandLine('verify -i inventory.yaml', { ...world, open })).exit).toBe(3)
  })

  test('is 4 when a host is gone, and the other is asked all the same', async () => {
    const { open, sent } = idleRunners((host) => found(host), { hostMeta: META })
    const { exit } = await runCommandLine('verify -i inventory.yaml', {
      ...world,
      open: oneGone(open),
    })
    expect(exit).toBe(4)
    expect(sent.map(({ type }) => type)).toEqual(['go'])
  })

  test('clocks that are far apart are unhealthy, and said before the summary', async () => {
    const { exit, out } = await runCommandLine('verify -i inventory.yaml --json', {
      ...world,
      open: clocksApart,
    })
    expect(exit).toBe(3)
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event)
    expect(events.at(-2)).toMatchObject({
      event: 'trouble',
      trouble: { code: 'E_UNHEALTHY', message: 'the clocks of h1 and h2 are 60 s apart' },
    })
    expect(events.at(-1)).toMatchObject({ event: 'summary', exitCode: 3 })
  })
})

describe('facts', () => {
  test('come with the hello: no playbook is needed', async () => {
    const { open } = idleRunners(undefined, { facts: { cpus: 2 } })
    const { exit, out } = await runCommandLine('facts -i inventory.yaml --limit h1 --json', {
      ...world,
      open,
    })
    expect(exit).toBe(0)
    expect(JSON.parse(out)).toEqual({ site: 'edge', hosts: { h1: { cpus: 2 } } })
  })
})
