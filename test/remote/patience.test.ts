import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionOptions } from '../../src/remote/session.ts'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import { startCountingProxy } from '../support/counting_proxy.ts'
import { makePrivateMachine } from '../support/private_machine.ts'
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

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'twonode-patience-'))
  chmodSync(directory, 0o755)
  const { wrapper, sshdConfig } = makePrivateMachine(directory)
  sshd = await startSshd({ wrapper, config: sshdConfig })
})

afterAll(async () => {
  await sshd.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = (over: Partial<ConnectSettings>, options: Partial<SessionOptions> = {}) =>
  openRecorded(settingsFor(sshd, over), {
    bundle: writeBundle(directory, { 'main.mjs': ECHO_RUNNER }),
    provideRuntime: fakeRuntime(directory),
    root: join(directory, `root-${over.user ?? 'root'}`),
    ...options,
  })

/** The bounds themselves, not shortened: they wait side by side. */
describe.concurrent('patience', { timeout: 60_000 }, () => {
  test('a slow sudo is explained after 8 s, and waited for', async () => {
    const notes: string[] = []
    const { session, waitFor } = await open(
      { user: 'slow' },
      { onNote: (note) => notes.push(note) },
    )
    await waitFor('uid 0 argv runner')
    session.close()
    expect(notes.join()).toContain('/etc/hosts')
  })

  test('a sudo that hangs is given up after 30 s', async () => {
    await expect(open({ user: 'stuck' })).rejects.toMatchObject({
      code: 'E_SUDO',
      exitCode: 3,
      hint: expect.stringContaining('/etc/hosts') as string,
    })
  })

  test('a host that falls silent is given up after 20 s', async () => {
    const proxy = await startCountingProxy({ targetHost: '127.0.0.1', targetPort: sshd.port })
    const hostKeyAlias = `[127.0.0.1]:${sshd.port}`
    const { session, waitFor } = await open({ port: proxy.port, hostKeyAlias })
    await waitFor('heard plan')
    const frozenAt = Date.now()
    proxy.freeze()
    expect(await session.ended).toMatchObject({
      kind: 'lost',
      error: { code: 'E_CONNECTION_LOST', message: expect.stringContaining('20 s') as string },
    })
    expect(Date.now() - frozenAt).toBeGreaterThan(14_000)
    await proxy.stop()
  })
})
