import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type ConnectPorts } from '../../src/remote/connect.ts'
import { fingerprint } from '../../src/remote/known_hosts.ts'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import { settingsFor } from '../support/remote_rig.ts'
import { freePort, makeKey, publicPart, startSshd, type Sshd } from '../support/sshd.ts'

let sshd: Sshd
let directory: string

beforeAll(async () => {
  sshd = await startSshd()
  directory = mkdtempSync(join(tmpdir(), 'twonode-connect-'))
})

afterAll(async () => {
  await sshd.stop()
  rmSync(directory, { recursive: true, force: true })
})

const silent: ConnectPorts = {
  askPassphrase: () => Promise.resolve(undefined),
  onNote: () => undefined,
}

/** Connects, closes, and gives the error's data if there was one. */
async function attempt(over: Partial<ConnectSettings>, ports: Partial<ConnectPorts> = {}) {
  try {
    const connection = await connect(settingsFor(sshd, over), { ...silent, ...ports })
    connection.close()
    return { code: 'connected', exitCode: 0, message: '' }
  } catch (error) {
    const { code, exitCode, message } = error as { code: string; exitCode: number; message: string }
    return { code, exitCode, message }
  }
}

const fingerprintOf = (line: string) => fingerprint(Buffer.from(line.split(' ')[1] ?? '', 'base64'))

test('an identity file and a known host key log in', async () => {
  expect(await attempt({})).toMatchObject({ code: 'connected' })
})

test('RSA keys log in, on a host with an RSA key', async () => {
  const rsaHost = await startSshd({ hostKeyType: 'rsa' })
  try {
    const key = makeKey(join(directory, 'rsa'), 'rsa')
    writeFileSync(join(rsaHost.directory, 'authorized_keys'), readFileSync(`${key}.pub`))
    const over = { identityFiles: [{ path: key, explicit: true }] }
    const connection = await connect(settingsFor(rsaHost, over), silent)
    expect(connection.bursts()).toBeGreaterThan(0)
    connection.close()
  } finally {
    await rsaHost.stop()
  }
})

test('a key that is refused first does not stop the right one', async () => {
  const wrong = makeKey(join(directory, 'wrong'), 'ed25519')
  const identityFiles = [
    { path: wrong, explicit: true },
    { path: join(directory, 'absent'), explicit: false },
    { path: sshd.identityFile, explicit: true },
  ]
  expect(await attempt({ identityFiles })).toMatchObject({ code: 'connected' })
  const refused = await attempt({ identityFiles: identityFiles.slice(0, 1) })
  expect(refused).toMatchObject({ code: 'E_AUTH', exitCode: 4 })
  expect(refused.message).toContain(wrong)
})

test('nothing to offer is said as such', async () => {
  const { code, message } = await attempt({ identityFiles: [] })
  expect(code).toBe('E_AUTH')
  expect(message).toContain('there was no key to offer')
})

test('a named identity file that is missing, or is no key, is bad input', async () => {
  const notKey = join(directory, 'not-a-key')
  writeFileSync(notKey, 'hello\n')
  for (const path of [join(directory, 'absent'), notKey])
    expect(await attempt({ identityFiles: [{ path, explicit: true }] })).toMatchObject({
      code: 'E_KEY',
      exitCode: 2,
    })
})

test('a locked key is opened by its passphrase, asked again when it was wrong', async () => {
  const locked = makeKey(join(directory, 'locked'), 'ed25519', 'open sesame')
  const authorized = join(sshd.directory, 'authorized_keys')
  writeFileSync(
    authorized,
    readFileSync(authorized, 'utf8') + readFileSync(`${locked}.pub`, 'utf8'),
  )
  const answers = ['wrong', 'open sesame']
  const asked: string[] = []
  const askPassphrase = (path: string) => {
    asked.push(path)
    return Promise.resolve(answers.shift())
  }
  const identityFiles = [{ path: locked, explicit: true }]
  expect(await attempt({ identityFiles }, { askPassphrase })).toMatchObject({ code: 'connected' })
  expect(asked).toEqual([locked, locked])
  expect(await attempt({ identityFiles })).toMatchObject({ code: 'E_KEY' })
})

test('a locked key that the agent holds asks for nothing', async () => {
  const key = makeKey(join(directory, 'in-agent'), 'ed25519')
  const authorized = join(sshd.directory, 'authorized_keys')
  writeFileSync(authorized, readFileSync(authorized, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
  const socket = join(directory, 'agent.sock')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  try {
    await expect.poll(() => tryAddKey(socket, key), { timeout: 10_000 }).toBe(true)
    execFileSync('ssh-keygen', ['-p', '-q', '-P', '', '-N', 'locked now', '-f', key])
    const identityAgent = socket
    const identityFiles = [{ path: key, explicit: true }]
    expect(await attempt({ identityAgent, identityFiles })).toMatchObject({ code: 'connected' })
    expect(
      await attempt({ identityAgent, identityFiles: [], identitiesOnly: false }),
    ).toMatchObject({
      code: 'connected',
    })
    expect(await attempt({ identityAgent, identityFiles: [] })).toMatchObject({ code: 'E_AUTH' })
  } finally {
    agent.kill()
  }
})

function tryAddKey(socket: string, key: string): boolean {
  try {
    execFileSync('ssh-add', ['-q', key], { env: { SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('an agent that is gone is no obstacle for identity files', async () => {
  const identityAgent = join(directory, 'no-agent.sock')
  expect(await attempt({ identityAgent })).toMatchObject({ code: 'connected' })
})

test('an unknown host key is refused with its fingerprint, exit 4', async () => {
  const refused = await attempt({ knownHostsFiles: [join(directory, 'nothing')] })
  expect(refused).toMatchObject({ code: 'E_HOST_KEY', exitCode: 4 })
  expect(refused.message).toContain(fingerprintOf(sshd.hostKey))
})

test('a changed host key is refused with both fingerprints, also when new ones are accepted', async () => {
  const stranger = publicPart(makeKey(join(directory, 'stranger'), 'ed25519'))
  const file = join(directory, 'changed')
  writeFileSync(file, `[127.0.0.1]:${sshd.port} ${stranger}\n`)
  const refused = await attempt({ knownHostsFiles: [file], acceptNewHostKeys: true })
  expect(refused.code).toBe('E_HOST_KEY')
  expect(refused.message).toContain(fingerprintOf(sshd.hostKey))
  expect(refused.message).toContain(fingerprintOf(stranger))
  expect(refused.message).toContain(`${file}:1`)
})

test('a revoked host key is refused though it is pinned', async () => {
  const file = join(directory, 'revoked')
  writeFileSync(file, `@revoked * ${sshd.hostKey}\n`)
  const refused = await attempt({ knownHostsFiles: [file], pins: [sshd.hostKey] })
  expect(refused.code).toBe('E_HOST_KEY')
  expect(refused.message).toContain('revoked')
})

test('pins decide alone: the right one needs no known_hosts, a wrong one is refused', async () => {
  const knownHostsFiles = [join(directory, 'nothing')]
  expect(await attempt({ knownHostsFiles, pins: [sshd.hostKey] })).toMatchObject({
    code: 'connected',
  })
  const stranger = publicPart(makeKey(join(directory, 'pin'), 'ed25519'))
  expect(await attempt({ pins: [stranger] })).toMatchObject({ code: 'E_HOST_KEY' })
})

test('a known_hosts that can not be read fails closed', async () => {
  const unreadable = join(directory, 'a-directory')
  execFileSync('mkdir', ['-p', unreadable])
  const refused = await attempt({ knownHostsFiles: [sshd.knownHosts, unreadable] })
  expect(refused.code).toBe('E_HOST_KEY')
  expect(refused.message).toContain(unreadable)
})

test('a host known by its bare name is trusted on another port, as ssh does', async () => {
  const file = join(directory, 'bare')
  writeFileSync(file, `127.0.0.1 ${sshd.hostKey}\n`)
  expect(await attempt({ knownHostsFiles: [file] })).toMatchObject({ code: 'connected' })
})

test('new keys are accepted when told so, by many at once, each stored whole and once', async () => {
  const file = join(directory, 'fresh', 'known_hosts')
  const over = { knownHostsFiles: [file], acceptNewHostKeys: true, hashKnownHosts: true }
  const notes: string[] = []
  const onNote = (note: string) => notes.push(note)
  const all = await Promise.all(Array.from({ length: 4 }, () => attempt(over, { onNote })))
  expect(all.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'connected'))
  const text = readFileSync(file, 'utf8')
  expect(text.trimEnd().split('\n')).toHaveLength(1)
  expect(text).toMatch(/^\|1\|/)
  expect(notes.join()).toContain(fingerprintOf(sshd.hostKey))
  expect(await attempt({ knownHostsFiles: [file] })).toMatchObject({ code: 'connected' })
})

test('an accepted key does not run into a last line without its end', async () => {
  const file = join(directory, 'no-newline')
  writeFileSync(file, `other ${sshd.hostKey}`)
  chmodSync(file, 0o600)
  expect(await attempt({ knownHostsFiles: [file], acceptNewHostKeys: true })).toMatchObject({
    code: 'connected',
  })
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(2)
})

test('a closed port is unreachable, exit 4', async () => {
  const refused = await attempt({ port: await freePort() })
  expect(refused).toMatchObject({ code: 'E_UNREACHABLE', exitCode: 4 })
  expect(refused.message).toContain('refused')
})

test('a name that does not exist is unreachable', async () => {
  const refused = await attempt({ address: 'no-such-host.invalid' })
  expect(refused.code).toBe('E_UNREACHABLE')
  expect(refused.message).toContain('resolved')
})

test('a port that accepts and says nothing is given up within the bound', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const refused = await attempt({ port, connectTimeoutMs: 500 })
  expect(refused.code).toBe('E_UNREACHABLE')
  server.close()
})

test('what is no ssh server is unreachable', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  expect(await attempt({ port })).toMatchObject({ code: 'E_UNREACHABLE' })
  server.close()
})

test('jump hosts are passed, each with its own host key', async () => {
  const jump = await startSshd()
  try {
    const hop = settingsFor(jump, { name: 'jump host' })
    expect(await attempt({ proxyJump: [hop, { ...hop, name: 'second' }] })).toMatchObject({
      code: 'connected',
    })
    const stranger = { ...hop, knownHostsFiles: [] }
    const refused = await attempt({ proxyJump: [stranger] })
    expect(refused.code).toBe('E_HOST_KEY')
    expect(refused.message).toContain('jump host')
    const closed = await attempt({ proxyJump: [hop], port: await freePort() })
    expect(closed.code).toBe('E_UNREACHABLE')
    expect(closed.message).toContain('through jump host')
  } finally {
    await jump.stop()
  }
})
