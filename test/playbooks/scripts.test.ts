import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tellOfGuard } from '../../src/agent/guard_word.ts'
import { openHeartbeat } from '../../src/agent/heartbeat.ts'
import type { Note } from '../../src/agent/ports.ts'
import { scratch } from '../support/engine_run.ts'

const PLAYBOOKS = join(import.meta.dirname, '../../playbooks')

let folder: ReturnType<typeof scratch>
let guard: ChildProcess | undefined
beforeEach(() => {
  folder = scratch()
})
afterEach(async () => {
  if (guard?.pid !== undefined) await endSession(guard.pid)
  guard = undefined
  folder.remove()
})

/** What the guard has started writes into the folder: it ends before that is removed. */
async function endSession(id: number): Promise<void> {
  const none = () => spawnSync('pkill', ['-KILL', '-s', String(id)]).status === 1
  expect(await until(none)).toBe(true)
}

const at = (name: string) => join(folder.path, name)
const permit = () => at('kine.permit')

function uptimeMs(): number {
  return Math.round(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000)
}

/** Polls; never longer than the bound. */
async function until(holds: () => boolean, timeoutMs = 10_000): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if (holds()) return true
    await delay(20)
  }
  return holds()
}

/** With a systemctl and an ip that only write down what they are asked. */
function startGuard(): void {
  mkdirSync(at('bin'))
  for (const name of ['systemctl', 'ip']) {
    const script = `#!/bin/sh\necho ${name} "$@" >> ${at('asked')}\n`
    writeFileSync(at(`bin/${name}`), script, { mode: 0o755 })
  }
  const args = ['1000', '4', '192.0.2.10/24', 'eth0']
  guard = spawn('bash', [join(PLAYBOOKS, 'files/guard.sh'), ...args], {
    stdio: 'ignore',
    // A session of its own, by which all of it is ended.
    detached: true,
    env: { PATH: `${at('bin')}:${process.env['PATH']}`, TWONODE_RUN: folder.path },
  })
}

const asked = () => (existsSync(at('asked')) ? readFileSync(at('asked'), 'utf8') : '')

function roleKnown(args: readonly string[] = []): boolean {
  const text = readFileSync(join(PLAYBOOKS, 'templates/role_known.sh'), 'utf8')
    .replace('{{ site.stateDirectory }}', folder.path)
    .replace('{{ host.name }}', 'h2')
  expect(text).not.toContain('{{')
  writeFileSync(at('role_known.sh'), text)
  const env = { PATH: process.env['PATH'], TWONODE_RUN: folder.path }
  return spawnSync('sh', [at('role_known.sh'), ...args], { env }).status === 0
}

describe('the guard (B9)', () => {
  test('an agent that is silent for the fence time has kine and the virtual address stopped, and the permit goes last', async () => {
    const heart = openHeartbeat(uptimeMs, at('agent.alive'))
    heart.beat()
    const silentSince = performance.now()
    writeFileSync(permit(), 'x')
    startGuard()
    expect(await until(() => !existsSync(permit()))).toBe(true)
    const tookMs = performance.now() - silentSince
    expect(tookMs).toBeGreaterThan(2_900)
    expect(tookMs).toBeLessThan(5_000)
    expect(asked()).toMatch(
      /^systemctl kill --signal=KILL kine.service kine-reads.service k3s-reads.service\nsystemctl stop kine.service kine-reads.service k3s-reads.service twonode-virtual-ip.service\nip address del 192.0.2.10\/24 dev eth0\n/,
    )
    const told: Note[] = []
    await tellOfGuard((entry) => void told.push(entry), at('guard.stopped'))
    await tellOfGuard((entry) => void told.push(entry), at('guard.stopped'))
    expect(told).toEqual([
      { kind: 'guard', stopped: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:]{8}Z$/) },
    ])
  })

  test('as long as the agent beats nothing is stopped; a file from another boot is no beat', async () => {
    const heart = openHeartbeat(uptimeMs, at('agent.alive'))
    heart.beat()
    const beating = setInterval(heart.beat, 500)
    writeFileSync(permit(), 'x')
    startGuard()
    await delay(4_000)
    expect([asked(), existsSync(permit())]).toEqual(['', true])
    clearInterval(beating)
    openHeartbeat(() => uptimeMs() + 60_000, at('agent.alive')).beat()
    expect(await until(() => !existsSync(permit()), 1_500)).toBe(true)
  })

  test('an agent that was killed between taking the permit away and stopping kine leaves none running; once is enough', async () => {
    const heart = openHeartbeat(uptimeMs, at('agent.alive'))
    heart.beat()
    const silentSince = performance.now()
    startGuard()
    expect(await until(() => asked().split('\n').length > 6)).toBe(true)
    const tookMs = performance.now() - silentSince
    expect(tookMs).toBeGreaterThan(2_900)
    expect(tookMs).toBeLessThan(5_000)
    const first = asked()
    expect(first).toMatch(/^systemctl kill --signal=KILL kine.service /)
    // Silent on, without a permit: nothing can have been started.
    await delay(1_000)
    expect(asked()).toBe(first)
    // Heard, and silent again.
    heart.beat()
    await delay(600)
    openHeartbeat(() => uptimeMs() + 60_000, at('agent.alive')).beat()
    expect(await until(() => asked() !== first)).toBe(true)
  })

  test('silent on after that, an agent whose permit a laptop wrote has it stopped again', async () => {
    startGuard()
    expect(await until(() => asked().split('\n').length > 6)).toBe(true)
    const first = asked()
    writeFileSync(permit(), 'x')
    expect(await until(() => asked() !== first && !existsSync(permit()))).toBe(true)
  })
})

describe('what tells whether kine may run', () => {
  const META = 'term: 8\nbranch: 7\nleader: "h2"\nhosts:\n  - name: "h1"\n'

  beforeEach(() => {
    writeFileSync(at('host-meta.yaml'), META)
    writeFileSync(permit(), 'branch: 7\nleader: "h2"\n')
  })

  test('the permit of the branch that hostMeta names is one', () => {
    expect(roleKnown()).toBe(true)
    expect(roleKnown(['leads'])).toBe(true)
  })

  test('a follower has no virtual address', () => {
    writeFileSync(at('host-meta.yaml'), META.replace('"h2"', '"h1"'))
    writeFileSync(permit(), 'branch: 7\nleader: "h1"\n')
    expect([roleKnown(), roleKnown(['leads'])]).toEqual([true, false])
  })

  test.each([
    ['hostMeta is of a later branch: the marker is not written yet', META.replace('7', '9')],
    ['hostMeta names another leader', META.replace('"h2"', '"h1"')],
    ['hostMeta is torn', 'branch: 7\n'],
    ['there is no hostMeta', undefined],
  ])('%s: no', (_, meta) => {
    if (meta === undefined) rmSync(at('host-meta.yaml'))
    else writeFileSync(at('host-meta.yaml'), meta)
    expect(roleKnown()).toBe(false)
  })

  test.each(['', 'branch: 7\n', undefined])('a permit of %j is none', (text) => {
    if (text === undefined) rmSync(permit())
    else writeFileSync(permit(), text)
    expect(roleKnown()).toBe(false)
  })
})

test.each(['files/await_role.sh', 'files/twonode.sh', 'templates/role_known.sh', 'files/guard.sh'])(
  '%s is right by the grammar of its shell',
  (name) => {
    const path = join(PLAYBOOKS, name)
    const shell = readFileSync(path, 'utf8').startsWith('#!/bin/bash') ? 'bash' : 'sh'
    expect(() => execFileSync(shell, ['-n', path])).not.toThrow()
  },
)
