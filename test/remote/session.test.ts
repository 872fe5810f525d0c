import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import { startCountingProxy } from '../support/counting_proxy.ts'
import {
  ECHO_RUNNER,
  fakeRuntime,
  OPENING,
  openRecorded,
  settingsFor,
  writeBundle,
} from '../support/remote_rig.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

let sshd: Sshd
let directory: string
let provideRuntime: ReturnType<typeof fakeRuntime>
const root = () => join(directory, 'root')

beforeAll(async () => {
  sshd = await startSshd()
  directory = mkdtempSync(join(tmpdir(), 'twonode-session-'))
  provideRuntime = fakeRuntime(directory)
})

afterAll(async () => {
  await sshd.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** root logs in as root here and needs no sudo; anyone else is taken for root by name. */
const settings = (over: Partial<ConnectSettings> = {}) => settingsFor(sshd, over)

const open = (source = ECHO_RUNNER, over: Partial<ConnectSettings> = {}) =>
  openRecorded(settings(over), {
    bundle: writeBundle(directory, { 'main.mjs': source, 'extra.mjs': 'export {}' }),
    provideRuntime,
    root: root(),
  })

test('a bare host gets runtime and bundle in the same connection, then hears the whole plan', async () => {
  const { session, waitFor, heard } = await open()
  session.send(OPENING)
  session.send({ type: 'interrupt' })
  await waitFor('heard plan').catch(() => undefined)
  const end = await session.ended
  expect(heard()).toContain('uid 0 argv runner')
  expect(end).toMatchObject({ kind: 'lost', error: { code: 'E_BUG', detail: 'out of luck' } })
  const bundles = readdirSync(join(root(), 'bundle'))
  expect(bundles).toHaveLength(1)
  expect(readdirSync(join(root(), 'bundle', bundles[0] ?? '')).toSorted()).toEqual([
    'extra.mjs',
    'main.mjs',
  ])
  expect(readlinkSync(join(root(), 'current'))).toBe(`bundle/${bundles[0]}`)
  expect(readdirSync(root()).toSorted()).toEqual(['bundle', 'current', 'runtime'])
})

test('a host that has everything costs at most 11 client bursts to the end of a run', async () => {
  const proxy = await startCountingProxy({
    targetHost: '127.0.0.1',
    targetPort: sshd.port,
    delayMs: 20,
  })
  try {
    const { session, waitFor } = await open(ECHO_RUNNER, {
      port: proxy.port,
      hostKeyAlias: `[127.0.0.1]:${sshd.port}`,
    })
    session.send(OPENING)
    await waitFor('heard plan')
    const started = proxy.bursts()[0]
    session.send({ type: 'end' })
    expect(await session.ended).toEqual({ kind: 'done' })
    console.log(started, session.roundTrips())
    expect(started).toBeLessThanOrEqual(9)
  } finally {
    await proxy.stop()
  }
})
