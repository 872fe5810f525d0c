import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { scratch } from '../support/engine_run.ts'

const SCRIPT = join(import.meta.dirname, '../../playbooks/files/kine_anew.sh')

/** Listens, tells its id to each who connects, and writes down where it was and how it was ended. */
const KINE = `#!${process.execPath}
const { appendFileSync } = require('node:fs')
const { createServer } = require('node:net')
const [, address, port] = /^(.*):(\\d+)$/.exec(process.argv[3])
const note = (what) => appendFileSync(process.env.LOG, what + ' ' + process.pid + '\\n')
process.on('SIGTERM', () => { note('asked to end'); process.exit() })
if (process.env.BROKEN === undefined)
  createServer((socket) => socket.on('error', () => {}).end(String(process.pid)))
    .listen(Number(port), address.replace(/[[\\]]/g, ''), () => note('listens at ' + address))
else setTimeout(() => process.exit(1), 50)
`

let folder: ReturnType<typeof scratch>
let old: ChildProcess
let port: number
beforeEach(async () => {
  folder = scratch()
  mkdirSync(at('bin'))
  const notify = `#!/bin/sh\necho "main $1" >> ${at('log')}\n`
  writeFileSync(at('bin/systemd-notify'), notify, { mode: 0o755 })
  writeFileSync(at('kine'), KINE, { mode: 0o755 })
  port = await freePort()
  old = spawn(at('kine'), ['--listen-address', `127.0.0.1:${port}`], { env: { LOG: at('log') } })
  await until(() => log().includes('listens'))
})
afterEach(() => {
  for (const [, pid] of log().matchAll(/listens at \S+ (\d+)/g)) end(Number(pid))
  folder.remove()
})

const at = (name: string) => join(folder.path, name)
const log = () => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8') : '')

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: it has ended, as most of them should have.
  }
}

/** Polls; never longer than the bound. */
async function until(holds: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline && !holds()) await delay(5)
  expect(holds()).toBe(true)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** What the API server's client does: both addresses of localhost, one after the other. */
async function answers(): Promise<boolean> {
  return (await speaksAt('::1')) !== undefined || (await speaksAt('127.0.0.1')) !== undefined
}

async function speaksAt(host: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    let said = ''
    const socket = connect({ host, port })
    socket.on('data', (part) => (said += String(part)))
    socket.on('error', () => resolve(undefined))
    socket.on('close', () => resolve(said))
  })
}

async function reload(hosts: string, more: Record<string, string> = {}): Promise<number | null> {
  writeFileSync(at('hosts'), hosts)
  const script = spawn('bash', [SCRIPT], {
    stdio: 'ignore',
    env: {
      PATH: `${at('bin')}:${process.env['PATH']}`,
      MAINPID: String(old.pid),
      KINE_LISTEN_ADDRESS: `127.0.0.1:${port}`,
      TWONODE_HOSTS_FILE: at('hosts'),
      TWONODE_KINE: at('kine'),
      TWONODE_SETTLED_SECONDS: '1',
      LOG: at('log'),
      ...more,
    },
  })
  return await new Promise((resolve) => script.once('close', resolve))
}

const BOTH = '127.0.0.1 localhost\n::1 localhost ip6-localhost\n'

test('kine starts anew, and who asks localhost is refused at no moment', async () => {
  const over = new AbortController()
  const ended = reload(BOTH).finally(() => over.abort())
  const refused: number[] = []
  while (!over.signal.aborted) {
    if (!(await answers())) refused.push(performance.now())
    await delay(1)
  }
  expect(await ended).toBe(0)
  // The old one's socket may close between the two questions; a second try at once finds the next one.
  expect(refused.length).toBeLessThanOrEqual(1)
  await until(() => log().includes('asked to end'))
  const [, between, fresh] = [...log().matchAll(/listens at \S+ (\d+)/g)].map(([, pid]) => pid)
  // Who listens may say so after the script has seen it.
  const said = [
    `listens at [::1] ${between}`,
    `main --pid=${between}`,
    `listens at 127.0.0.1 ${fresh}`,
    `main --pid=${fresh}`,
    `asked to end ${between}`,
  ]
  expect(log().split('\n')).toEqual(expect.arrayContaining(said))
  expect(await speaksAt('127.0.0.1')).toBe(fresh)
  expect(old.signalCode).toBe('SIGKILL')
})

test('the next kine but one waits for a settled API server, and not for a kine in between that died: systemd starts it anew', async () => {
  const ended = reload(BOTH, { TWONODE_SETTLED_SECONDS: '600' })
  await until(() => log().includes('main'))
  const [, between] = /main --pid=(\d+)/.exec(log()) ?? []
  expect(await speaksAt('::1')).toBe(between)
  end(Number(between))
  expect(await ended).toBe(0)
  expect(await answers()).toBe(false)
  expect(log().match(/listens at/g)).toHaveLength(2)
})

test('where localhost has one address, or the next kine does not come up, the old one is killed: systemd starts it', async () => {
  expect(await reload('127.0.0.1 localhost\n::1 ip6-localhost\n')).toBe(0)
  await until(() => old.signalCode === 'SIGKILL')
  expect(log()).not.toContain('main')
})

test('a kine that can not start where it belongs leaves none of them behind', async () => {
  expect(await reload(BOTH, { BROKEN: '1' })).toBe(0)
  await until(() => old.signalCode === 'SIGKILL')
  expect(log()).not.toContain('main')
  expect(await answers()).toBe(false)
})
