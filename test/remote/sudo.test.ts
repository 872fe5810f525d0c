import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import type { SessionOptions } from '../../src/remote/session.ts'
import { explainStartFailure } from '../../src/remote/sudo.ts'
import { makePrivateMachine, PASSWORD, type PrivateMachine } from '../support/private_machine.ts'
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
let machine: PrivateMachine

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'twonode-sudo-'))
  chmodSync(directory, 0o755)
  machine = makePrivateMachine(directory)
  sshd = await startSshd({ wrapper: machine.wrapper, config: machine.sshdConfig })
})

afterAll(async () => {
  await sshd.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = (user: string, over: Partial<SessionOptions> = {}) =>
  openRecorded(settingsFor(sshd, { user }), {
    bundle: writeBundle(directory, { 'main.mjs': ECHO_RUNNER }),
    provideRuntime: fakeRuntime(directory),
    root: join(directory, `root-${user}`),
    ...over,
  })

/** What people see of a failed opening. */
async function refusal(user: string, over: Partial<SessionOptions> = {}) {
  const attempt = open(user, over).then(
    () => 'it worked',
    (error: unknown) => error,
  )
  return (await attempt) as { code: string; exitCode: number; message: string; hint: string }
}

const wrong = new Secret('not the password', 'test')
const right = new Secret(PASSWORD, 'test')

describe.concurrent('sudo', () => {
  test('without a password the runner is root, and so is all that it runs', async () => {
    const { session, waitFor } = await open('free')
    await waitFor('uid 0 argv runner')
    session.send({ type: 'end' })
    expect(await session.ended).toEqual({ kind: 'done' })
    const root = join(directory, 'root-free')
    for (const path of [root, join(root, 'bundle'), join(root, 'runtime')]) {
      expect(statSync(path).uid).toBe(0)
      expect(statSync(path).mode & 0o777).toBe(0o755)
    }
  })

  test('with a password takes the first line of standard input, and nothing of the plan', async () => {
    const { session, waitFor, heard } = await open('typist', { sudoPassword: right })
    await waitFor('uid 0 argv runner')
    session.send({ type: 'end' })
    expect(await session.ended).toEqual({ kind: 'done' })
    expect(heard()[0]).toBe('heard plan')
  })

  test('a password that nobody asks for does no harm', async () => {
    const root = join(directory, 'root-unasked')
    const { session, waitFor } = await open('free', { sudoPassword: right, root })
    await waitFor('uid 0 argv runner')
    session.close()
    expect(await session.ended).toEqual({ kind: 'closed' })
  })

  test.each([
    ['typist', 'a missing password', undefined, 'asks for a password', '--ask-sudo-password'],
    ['typist', 'a wrong password', wrong, 'refused the password', 'Give the right one'],
    ['stranger', 'no right at all', right, 'has no sudo right', 'connect as root'],
    ['partial', 'a right to other commands', undefined, 'asks for a password', 'NOPASSWD: ALL'],
    ['partial', 'a right to others, with password', right, 'not this one', 'connect as root'],
    ['terminal', 'requiretty', undefined, 'wants a terminal', 'Defaults:terminal !requiretty'],
  ])('%s: %s is said as such, exit 3', async (user, _what, sudoPassword, means, hint) => {
    const over = sudoPassword === undefined ? {} : { sudoPassword }
    const found = await refusal(user, over)
    expect(found).toMatchObject({ code: 'E_SUDO', exitCode: 3 })
    expect(found.message).toContain(means)
    expect(found.message).not.toContain('correct')
    expect(found.hint).toContain(hint)
  })

  test('a host without sudo says so', async () => {
    const found = await refusal('bare')
    expect(found).toMatchObject({ code: 'E_SUDO' })
    expect(found.message).toContain('there is no sudo')
  })

  test('a shell that lets nobody in is told by its words', async () => {
    const found = await refusal('mute')
    expect(found).toMatchObject({
      code: 'E_FAILED',
      detail: expect.stringContaining('not available') as string,
    })
  })

  test('what a log-in script prints is passed over', async () => {
    const { session, waitFor, heard } = await open('chatty')
    await waitFor('uid 0 argv runner')
    expect(heard()[0]).toBe('heard plan')
    session.close()
  })
})

describe('the file system', () => {
  test('a full disk is an error of the host, with its own words', async () => {
    const noise = Array.from({ length: 200_000 }, () => Math.floor(Math.random() * 36).toString(36))
    const bundle = writeBundle(directory, { 'main.mjs': `// ${noise.join('')}` })
    const root = join(machine.full, 'twonode')
    expect(await refusal('free', { root, bundle })).toMatchObject({
      code: 'E_FILESYSTEM',
      exitCode: 3,
      message: expect.stringContaining('No space left') as string,
    })
  })

  test('a read-only file system is named', async () => {
    expect(await refusal('free', { root: join(machine.readOnly, 'twonode') })).toMatchObject({
      code: 'E_FILESYSTEM',
      message: expect.stringContaining('Read-only') as string,
    })
  })

  test('a folder that belongs to another user is never run from', async () => {
    const root = join(directory, 'root-of-someone')
    mkdirSync(root)
    chownSync(root, 64_100, 64_100)
    expect(await refusal('free', { root })).toMatchObject({ code: 'E_FILESYSTEM' })
    expect(readdirSync(root)).toEqual([])
  })
})

const provideNothing = () => Promise.reject(new Error('not to be asked for'))

test('the host’s own Node is used when it is asked for, and refused when it is too old', async () => {
  const over = { runtime: 'system', provideRuntime: provideNothing } as const
  const { session, waitFor } = await open('root', over)
  await waitFor('heard plan')
  session.close()
  expect(await refusal('old', { runtime: 'system' })).toMatchObject({
    code: 'E_MISSING',
    exitCode: 3,
    message: expect.stringContaining('v20.19.0') as string,
  })
})

test('a connection that breaks at the start is no fault of the shell', () => {
  const start = { host: 'h1', user: 'eva', become: 'sudo' } as const
  const found = explainStartFailure(start, { end: { code: null, signal: null }, said: '' })
  expect(found).toMatchObject({ code: 'E_CONNECTION_LOST', exitCode: 4 })
})

test('an unknown end of the shell keeps its words', () => {
  const start = { host: 'h1', user: 'eva', become: 'sudo' } as const
  const end = { code: 1, signal: null }
  const found = explainStartFailure(start, { end, said: 'sudo: something new' })
  expect(found).toMatchObject({ code: 'E_SUDO', detail: 'sudo: something new' })
})
