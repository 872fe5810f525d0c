import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SshdOptions {
  /** Further lines of sshd_config. */
  readonly config?: readonly string[]
  /** argv put before sshd's: an `unshare` that gives it a machine of its own. */
  readonly wrapper?: readonly string[]
  readonly hostKeyType?: 'ed25519' | 'rsa' | 'ecdsa'
}

/** A real sshd on loopback, with keys of its own, run by the current user. */
export interface Sshd {
  readonly port: number
  readonly user: string
  readonly directory: string
  /** A private key that may log in. */
  readonly identityFile: string
  /** `ssh-ed25519 AAAA…` of the host. */
  readonly hostKey: string
  /** known_hosts that knows it. */
  readonly knownHosts: string
  /** What sshd logged. */
  readonly log: () => string
  readonly stop: () => Promise<void>
}

const READY_MS = 10_000

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const directory = mkdtempSync(join(tmpdir(), 'twonode-sshd-'))
  chmodSync(directory, 0o755)
  const identityFile = makeKey(join(directory, 'id'), 'ed25519')
  const hostKeyFile = makeKey(join(directory, 'host'), options.hostKeyType ?? 'ed25519')
  const hostKey = publicPart(hostKeyFile)
  writeFileSync(join(directory, 'authorized_keys'), readFileSync(`${identityFile}.pub`))
  const port = await freePort()
  const knownHosts = join(directory, 'known_hosts')
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${hostKey}\n`)
  const configFile = join(directory, 'sshd_config')
  writeFileSync(
    configFile,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKeyFile}`,
      `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
      `PidFile ${join(directory, 'pid')}`,
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'UsePAM no',
      ...(options.config ?? []),
      '',
    ].join('\n'),
  )
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const logFile = join(directory, 'log')
  const argv = [...(options.wrapper ?? []), '/usr/sbin/sshd', '-D', '-f', configFile, '-E', logFile]
  const [program = '', ...rest] = argv
  const child = spawn(program, rest, { stdio: 'ignore' })
  const log = () => readFileSync(logFile, 'utf8')
  const stop = async () => {
    await end(child)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await waitForPort(port, child)
  } catch (error) {
    await stop()
    throw error
  }
  const { username: user } = userInfo()
  return { port, user, directory, identityFile, hostKey, knownHosts, log, stop }
}

/** Makes a key pair without a passphrase, unless one is given. */
export function makeKey(path: string, type: string, passphrase = ''): string {
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', path])
  return path
}

/** Type and key of a public key file, without its comment. */
export function publicPart(path: string): string {
  return readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim()
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (!(await canConnect(port))) {
    if (child.exitCode !== null) throw new Error(`sshd ended with ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error('sshd does not listen')
    await sleep(20)
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 2_000)
  await gone
  clearTimeout(timer)
}
