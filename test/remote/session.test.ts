import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SessionOptions } from '../../src/remote/session.ts'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import { startCountingProxy } from '../support/counting_proxy.ts'
import {
  ECHO_RUNNER,
  fakeRuntime,
  openRecorded,
  settingsFor,
  writeBundle,
} from '../support/remote_rig.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

let sshd: Sshd
let directory: string
let provideRuntime: SessionOptions['provideRuntime']

beforeAll(async () => {
  sshd = await startSshd()
  directory = mkdtempSync(join(tmpdir(), 'twonode-session-'))
  provideRuntime = fakeRuntime(directory)
})

afterAll(async () => {
  await sshd.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Opening {
  readonly source?: string
  /** Folder on the "host"; one of its own for each test that must start bare. */
  readonly root?: string
  readonly settings?: Partial<ConnectSettings>
  readonly options?: Partial<SessionOptions>
}

const open = ({ source = ECHO_RUNNER, root = 'warm', settings, options }: Opening = {}) =>
  openRecorded(settingsFor(sshd, settings), {
    bundle: writeBundle(directory, { 'main.mjs': source, 'extra.mjs': 'export {}' }),
    provideRuntime,
    root: join(directory, root),
    ...options,
  })

const alias = () => ({ hostKeyAlias: `[127.0.0.1]:${sshd.port}` })

test('a bare host gets runtime and bundle in the same connection, then hears everything in order', async () => {
  const { session, waitFor, heard } = await open({ root: 'bare' })
  session.send({ type: 'peer-failed', reason: 'said before the host was ready' })
  await waitFor('heard peer-failed')
  session.send({ type: 'end' })
  expect(await session.ended).toEqual({ kind: 'done' })
  expect(heard().filter((text) => text.startsWith('heard'))).toEqual([
    'heard plan',
    'heard peer-failed',
    'heard end',
  ])
  expect(heard()).toContain(`uid ${process.getuid?.()} argv runner`)
  const root = join(directory, 'bare')
  const [bundle = '', ...more] = readdirSync(join(root, 'bundle'))
  expect(more).toEqual([])
  expect(readdirSync(join(root, 'bundle', bundle)).toSorted()).toEqual(['extra.mjs', 'main.mjs'])
  expect(readlinkSync(join(root, 'current'))).toBe(`bundle/${bundle}`)
  expect(readdirSync(root).toSorted()).toEqual(['bundle', 'current', 'node', 'runtime'])
})

test('two sessions that install on a bare host at once both come up', async () => {
  const both = await Promise.all([open({ root: 'race' }), open({ root: 'race' })])
  await Promise.all(both.map(({ waitFor }) => waitFor('heard plan')))
  for (const { session } of both) session.send({ type: 'end' })
  for (const { session } of both) expect(await session.ended).toEqual({ kind: 'done' })
  const root = join(directory, 'race')
  expect(readdirSync(root).toSorted()).toEqual(['bundle', 'current', 'node', 'runtime'])
})

test('a host that has everything is at work after 7 client bursts at most', async () => {
  const warm = await open()
  await warm.waitFor('heard plan')
  warm.session.close()
  const delayMs = 20
  const proxy = await startCountingProxy({
    targetHost: '127.0.0.1',
    targetPort: sshd.port,
    delayMs,
  })
  try {
    const { session, waitFor } = await open({ settings: { port: proxy.port, ...alias() } })
    await waitFor('heard plan')
    // Fewer on a busy machine: what came late is answered together.
    expect(proxy.bursts()).toHaveLength(1)
    expect(proxy.bursts()[0]).toBeLessThanOrEqual(7)
    expect(session.roundTrips()).toBeLessThanOrEqual(7)
    session.send({ type: 'end' })
    expect(await session.ended).toEqual({ kind: 'done' })
  } finally {
    await proxy.stop()
  }
})

test('a blob arrives whole, between whole lines', async () => {
  const content = Buffer.alloc(5_000_000, 'twonode')
  const path = join(directory, 'blob')
  writeFileSync(path, content)
  const sha256 = createHash('sha256').update(content).digest('hex')
  const { session, waitFor } = await open()
  void session.sendBlob(sha256, path, content.length)
  session.send({ type: 'go', pair: pairState, solo: false })
  await waitFor(`blob ${sha256}`)
  await waitFor('heard go')
  session.close()
  expect(await session.ended).toEqual({ kind: 'closed' })
})

const pairState = {
  leader: 'h1',
  term: 1,
  branch: 1,
  mode: 'alone',
  slot: null,
  began: 'first',
  fork: null,
} as const

test('a blob that became shorter ends the session: what follows could not be told apart', async () => {
  const path = join(directory, 'short')
  writeFileSync(path, 'short')
  const { session, waitFor } = await open()
  await waitFor('heard plan')
  await session.sendBlob('0'.repeat(64), path, 1_000)
  expect(await session.ended).toMatchObject({ kind: 'lost', error: { code: 'E_FILE' } })
})

test('a runner that crashes is our bug, with its last words', async () => {
  const { session } = await open()
  session.send({ type: 'interrupt' })
  expect(await session.ended).toMatchObject({
    kind: 'lost',
    error: { code: 'E_BUG', exitCode: 70, detail: 'out of luck' },
  })
})

test('a runner that is killed is a lost connection, not a bug', async () => {
  const { session } = await open({ source: `process.kill(process.pid, 'SIGKILL')` })
  expect(await session.ended).toMatchObject({
    kind: 'lost',
    error: { code: 'E_CONNECTION_LOST', message: expect.stringContaining('KILL') as string },
  })
})

test('a runner that says what is no message is a bug', async () => {
  const { session } = await open({ source: `console.log('hello'); setInterval(() => {}, 1000)` })
  const end = await session.ended
  expect(end).toMatchObject({ kind: 'lost', error: { code: 'E_BUG' } })
})

test('a connection that is cut ends the session with E_CONNECTION_LOST', async () => {
  const proxy = await startCountingProxy({ targetHost: '127.0.0.1', targetPort: sshd.port })
  const { session, waitFor } = await open({ settings: { port: proxy.port, ...alias() } })
  await waitFor('heard plan')
  proxy.cut()
  expect(await session.ended).toMatchObject({
    kind: 'lost',
    error: { code: 'E_CONNECTION_LOST', exitCode: 4 },
  })
  await proxy.stop()
})

test('old bundles are pruned: the two newest stay beside the current one', async () => {
  const root = 'pruned'
  const folder = join(directory, root, 'bundle')
  for (let generation = 1; generation <= 5; generation++) {
    const { session, waitFor } = await open({ root, source: `${ECHO_RUNNER}// ${generation}` })
    await waitFor('heard plan')
    session.close()
    await session.ended
    const current = readlinkSync(join(directory, root, 'current')).replace('bundle/', '')
    utimesSync(join(folder, current), generation * 1_000, generation * 1_000)
  }
  const left = readdirSync(folder)
  expect(left).toHaveLength(3)
  expect(left).toContain(readlinkSync(join(directory, root, 'current')).replace('bundle/', ''))
})

test('a bundle that was damaged on the host is put there anew', async () => {
  const root = 'damaged'
  const first = await open({ root })
  await first.waitFor('heard plan')
  first.session.close()
  const current = readlinkSync(join(directory, root, 'current'))
  rmSync(join(directory, root, current, 'main.mjs'))
  const second = await open({ root })
  await second.waitFor('heard plan')
  second.session.close()
  expect(await second.session.ended).toEqual({ kind: 'closed' })
})

test('a runtime that arrives damaged is refused, and nothing is left of it', async () => {
  const { path } = await provideRuntime('x86_64')
  const options = { provideRuntime: () => Promise.resolve({ path, sha256: '0'.repeat(64) }) }
  await expect(open({ root: 'wrong', options })).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
  const root = join(directory, 'wrong')
  await expect.poll(() => readdirSync(root).toSorted()).toEqual(['bundle', 'runtime'])
  expect(readdirSync(join(root, 'runtime'))).toEqual([])
})

test('a runtime that can not be fetched is an error with the reason', async () => {
  const options = { provideRuntime: () => Promise.reject(new Error('no registry')) }
  await expect(open({ root: 'unfetched', options })).rejects.toThrow('no registry')
})
