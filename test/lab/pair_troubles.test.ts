import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, inHost, packagedHosts, stepNames, steps } from './pair.ts'
import {
  convergeEvents,
  convergeText,
  expectTold,
  expectToConverge,
  laptopFile,
  playOf,
} from './small_play.ts'
import { explain, type Laptop } from '../../lab/twonode_process.ts'
import { SUDO_PASSWORD } from '../../lab/identity.ts'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await packagedHosts())
})

const isThere = async (host: HostName, path: string): Promise<boolean> =>
  (await lab.exec(host, ['test', '-e', path])).code === 0

/** One file on both hosts: did a run get as far as to change something? */
function onBoth(name: string): { playbook: string; path: string } {
  const path = `/srv/${name}`
  const text = `- hosts: all\n  tasks:\n    - name: On both\n      file: { path: ${path}, content: x }\n`
  return { playbook: laptopFile(from, `${name}.yaml`, text), path }
}

/** The hosts that have this path. */
async function hostsWith(path: string): Promise<HostName[]> {
  const found = await Promise.all(HOST_NAMES.map((host) => isThere(host, path)))
  return HOST_NAMES.filter((_, index) => found[index])
}

/** The laptop's inventory with the user of h2 whose sudo asks for a password. */
function asking(more = ''): string {
  const text = readFileSync(from.inventory, 'utf8')
  return laptopFile(from, 'asking.yaml', text.replace('user: ops\n', `user: opspw\n${more}`))
}

describe('another run', () => {
  test('a run that another one keeps out says whose it is, and ends with 75', async () => {
    const long = playOf(from, 'long', { Long: 'command: { argv: [sleep, "4"] }' })
    const first = convergeEvents(from, [long, '--limit', 'h1'])
    await eventually(
      'h1 is locked',
      async () => {
        const held = ['flock', '-n', '-E', '75', '/run/twonode/converge.lock', 'true']
        return (await lab.exec('h1', held)).code === 75 ? true : 'no lock yet'
      },
      20_000,
    )
    const { playbook, path } = onBoth('locked')
    const second = await convergeText(from, [playbook, '--lock-timeout', '1s'])
    expectTold(second, {
      exitCode: 75,
      error: 'E_LOCKED',
      words: [/run \S+ of \S+@\S+ \(pid \d+, since/, 'Wait for it'],
    })
    expect((await first).code).toBe(0)
    expect(await hostsWith(path)).toEqual([])
    await expectToConverge(from, [playbook])
  })

  test('what a killed run owes its handlers is paid first by the next, whatever its tags', async () => {
    const playbook = laptopFile(from, 'owed.yaml', OWED)
    const run = convergeEvents(from, [playbook, '--limit', 'h1', '--tags', 'marked'])
    await eventually(
      'the task after the one that notifies runs',
      async () => ((await lab.exec('h1', ['pgrep', '-x', 'sleep'])).code === 0 ? true : 'no sleep'),
      20_000,
    )
    const runners = await inHost('h1', ['pgrep', '-f', '/opt/twonode/bundle/'])
    await inHost('h1', ['kill', '-9', ...runners.split('\n')])
    const killed = await run
    expect(killed.code, explain(killed)).toBe(4)
    expect(await isThere('h1', '/srv/told')).toBe(false)
    const next = await expectToConverge(from, [playbook, '--limit', 'h1', '--tags', 'other'])
    expect(stepNames(next, 'changed')).toEqual(['h1: It is told', 'h1: Other'])
    expect(steps(next, 'changed')[0]?.handler).toBe('left-over')
    expect(await isThere('h1', '/srv/told')).toBe(true)
  })
})

const OWED = `
- hosts: h1
  tasks:
    - name: Marked
      file: { path: /srv/marked, content: x }
      notify: [It is told]
      tags: [marked]
    - name: Long
      command: { argv: [sleep, '3'] }
      tags: [marked]
    - name: Other
      file: { path: /srv/other, content: x }
      tags: [other]
  handlers:
    - name: It is told
      command: { argv: [touch, /srv/told], creates: /srv/told }
`

describe('hosts that do not belong together', () => {
  test('two authorities end the run with 5 before anything is changed', async () => {
    const ca = laptopFile(from, 'ca.yaml', CA)
    await expectToConverge(from, [ca])
    await inHost('h1', OTHER_CA)
    const { playbook, path } = onBoth('authorities')
    const run = await convergeText(from, [playbook])
    expectTold(run, {
      exitCode: 5,
      error: 'E_TWO_AUTHORITIES',
      words: [/site CAs: h1 has [0-9a-f]+…, h2 has [0-9a-f]+…/, '/etc/twonode/pki'],
    })
    expect(await hostsWith(path)).toEqual([])
    await inHost('h2', ['rm', '-r', '/etc/twonode/pki'])
    await expectToConverge(from, [ca])
    const [one, other] = await Promise.all(
      HOST_NAMES.map((host) => inHost(host, ['cat', '/etc/twonode/pki/ca.crt'])),
    )
    expect(other).toBe(one)
    await expectToConverge(from, [playbook])
  })

  test('hostMetas that disagree about who leads end the run with 5 before anything is changed', async () => {
    const metas = laptopFile(from, 'metas.yaml', metaOf('h1', 'h1') + metaOf('h2', 'h2'))
    expect((await convergeEvents(from, [metas])).code).toBe(0)
    const { playbook, path } = onBoth('roles')
    const run = await convergeText(from, [playbook])
    expectTold(run, {
      exitCode: 5,
      error: 'E_ROLES',
      words: ['h1 says h1 (branch 1, term 1)', 'h2 says h2 (branch 1, term 1)', 'twonode status'],
    })
    expect(await hostsWith(path)).toEqual([])
    for (const host of HOST_NAMES) await inHost(host, ['rm', '/var/lib/twonode/host-meta.yaml'])
    await expectToConverge(from, [playbook])
  })
})

const CA = `
- hosts: all
  tasks:
    - name: Our folder
      directory: { path: /etc/twonode }
    - name: Folder of the authority
      directory: { path: /etc/twonode/pki }
    - name: The authority
      site_secret: { name: ca }
`

const OTHER_CA = [
  ...'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other'.split(' '),
  ...'-keyout /etc/twonode/pki/ca.key -out /etc/twonode/pki/ca.crt'.split(' '),
]

const metaOf = (leader: HostName, on: HostName | 'all'): string => `
- hosts: ${on}
  tasks:
    - name: State
      directory: { path: /var/lib/twonode, mode: '0700' }
    - name: ${leader} leads
      host_meta:
        site: '{{ site.name }}'
        leader: ${leader}
        term: 1
        branch: 1
        mode: alone
        began: first
        hosts: '{{ site.hosts }}'
        control_plane_endpoint: 192.0.2.1:6443
`

describe('a sudo that wants a password', () => {
  let args: readonly string[]
  let path: string

  beforeAll(() => {
    const { playbook, path: made } = onBoth('sudo')
    path = made
    args = [playbook, '--limit', 'h2', '-i']
  })

  test.each([
    { what: 'none', env: {}, words: ['h2: sudo asks for a password', '--ask-sudo-password'] },
    {
      what: 'a wrong one',
      env: { TWONODE_SUDO_PASSWORD: 'not-the-password' },
      words: ['h2: sudo refused the password'],
    },
  ])('is refused with $what, and nothing is changed', async ({ env, words }) => {
    const run = await convergeText(from, [...args, asking()], env)
    expectTold(run, { exitCode: 3, error: 'E_SUDO', words })
    expect(await isThere('h2', path)).toBe(false)
  })

  test('takes the one that a person types, which is not shown', async () => {
    const said = await typing(SUDO_PASSWORD, ['converge', ...args, asking(), '--ask-sudo-password'])
    expect(said).toContain('h2: 0 ok, 1 changed')
    expect(said).not.toContain(SUDO_PASSWORD)
    expect(await isThere('h2', path)).toBe(true)
  })

  test('takes the one that the inventory names', async () => {
    await inHost('h2', ['rm', path])
    laptopFile(from, 'sudo-password', `${SUDO_PASSWORD}\n`)
    const named = asking('      sudoPassword: !secret { file: sudo-password }\n')
    const run = await expectToConverge(from, [...args, named])
    expect(stepNames(run, 'changed')).toEqual(['h2: On both'])
  })

  test('a user without the right is told so, and h1 is left alone', async () => {
    await inHost('h2', ['mv', '/etc/sudoers.d/lab', '/var/tmp/lab-sudoers'])
    const both = onBoth('no-right')
    const run = await convergeText(from, [both.playbook])
    await inHost('h2', ['mv', '/var/tmp/lab-sudoers', '/etc/sudoers.d/lab'])
    expectTold(run, { exitCode: 3, error: 'E_SUDO', words: ['h2: ', 'ops'] })
    expect(await hostsWith(both.path)).toEqual([])
    await expectToConverge(from, [both.playbook])
  })
})

/** Runs the command line at a terminal, and types when it asks. */
async function typing(answer: string, args: readonly string[]): Promise<string> {
  const root = process.env['TWONODE_ROOT'] ?? process.cwd()
  const command = [process.execPath, join(root, 'dist/twonode.mjs'), ...args]
  const terminal = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: from.home, TERM: 'dumb', NO_COLOR: '1' },
    timeout: 60_000,
  })
  let said = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    const asked = said.includes('password: ')
    said += text
    if (!asked && said.includes('password: ')) terminal.stdin.write(`${answer}\n`)
  })
  await new Promise((resolve) => terminal.once('close', resolve))
  return said
}

describe('a host that is off', () => {
  beforeAll(async () => {
    // Not as the inventory's initialLeader has it: who leads is the hosts' to say.
    const meta = laptopFile(from, 'meta.yaml', metaOf('h2', 'all'))
    await expectToConverge(from, [meta])
    await lab.powerOff('h2')
  })

  afterAll(async () => {
    await lab.powerOn('h2')
  })

  test('ends the run with 4, and nothing is changed on the other', async () => {
    const { playbook, path } = onBoth('off')
    const quick = readFileSync(from.inventory, 'utf8').replace(
      'user: ops\n',
      'user: ops\n      connectTimeout: 3s\n',
    )
    const run = await convergeText(from, [playbook, '-i', laptopFile(from, 'quick.yaml', quick)])
    expectTold(run, { exitCode: 4, error: 'E_UNREACHABLE', words: ['h2', '--limit'] })
    expect(await isThere('h1', path)).toBe(false)
  })

  test('is not needed with --limit: what can not be known is named, with why', async () => {
    const check = await convergeEvents(from, ['--limit', 'h1', '--check'])
    expect(check.code, explain(check)).toBe(10)
    const unknown = steps(check, 'unknown')
    expect(unknown.map(({ task }) => task)).toContain('The follower subscribes to the leader')
    for (const { reason, task } of unknown) expect(reason, task).toBeTruthy()
    expect(unknown.map(({ reason }) => reason).join('\n')).toContain('it needs the other host')
    expect(stepNames(check, 'failed')).toEqual([])
  })

  test('is not needed with --limit: the one that follows goes on to follow', async () => {
    const before = await inHost('h1', ['cat', '/var/lib/twonode/host-meta.yaml'])
    const roles = laptopFile(from, 'roles.yaml', ROLES)
    const run = await expectToConverge(from, [roles, '--limit', 'h1'])
    expect(stepNames(run, 'changed')).toEqual(['h1: Follows'])
    expect(await inHost('h1', ['cat', '/var/lib/twonode/host-meta.yaml'])).toBe(before)
  })
})

const ROLES = `
- hosts: leader
  tasks:
    - name: Leads
      file: { path: /srv/leads, content: x }
- hosts: follower
  tasks:
    - name: Follows
      file: { path: /srv/follows, content: x }
`
