import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'ssh-config'
import { TwonodeError } from '../core/errors.ts'
import { CONNECT_TIMEOUT_MS, type ConnectSettings } from './settings.ts'
import {
  parseJumps,
  parseSshG,
  settingsFrom,
  type Jump,
  type Laptop,
  type SshOptions,
  type SshTarget,
} from './ssh_options.ts'

export interface Resolved {
  readonly settings: ConnectSettings
  /** What of the user's ssh configuration is not followed. */
  readonly notes: readonly string[]
}

/** `ssh -G` takes 6 ms; a `Match exec` in the configuration may take longer. @unit milliseconds */
const SSH_TIMEOUT_MS = 5_000

/** ssh's own bound is smaller. @unit bytes */
const SSH_OUTPUT_BYTES = 256 * 1024

/**
 * What the inventory says about a host, filled in from the user's ssh configuration, which ssh itself
 * reads for us where it is installed. The inventory wins.
 *
 * @throws TwonodeError `E_UNREACHABLE` for a configuration that can't be read or followed
 */
export async function resolveSettings(target: SshTarget, laptop: Laptop): Promise<Resolved> {
  const notes: string[] = []
  const options = await readOptions(target, laptop, notes)
  const proxyCommand = options.get('proxycommand')?.[0] ?? 'none'
  const jumpText = target.ssh.proxyJump ?? options.get('proxyjump')?.[0] ?? 'none'
  if (jumpText === 'none' && proxyCommand !== 'none')
    throw new TwonodeError('E_UNREACHABLE', `${target.name}: ProxyCommand is not supported`, {
      hint: 'Use ProxyJump in the ssh configuration, or ssh.proxyJump in the inventory.',
      detail: proxyCommand,
    })
  const proxyJump = await Promise.all(
    parseJumps(jumpText, target.name).map((jump) => resolveJump(jump, laptop, notes)),
  )
  const settings = settingsFrom(target, options, laptop)
  return { settings: { ...settings, proxyJump }, notes: [...new Set(notes)] }
}

async function resolveJump(jump: Jump, laptop: Laptop, notes: string[]): Promise<ConnectSettings> {
  const { host, user, port } = jump
  const ssh = {
    hostKeys: [],
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  }
  const target: SshTarget = { name: `jump host ${host}`, address: host, ssh }
  return settingsFrom(target, await readOptions(target, laptop, notes), laptop)
}

async function readOptions(
  target: SshTarget,
  laptop: Laptop,
  notes: string[],
): Promise<SshOptions> {
  const options = (await askSsh(target, laptop)) ?? (await readFiles(target, laptop, notes))
  const name = target.name
  const checking = options.get('stricthostkeychecking')?.[0] ?? 'ask'
  if (['no', 'off', 'false', 'accept-new'].includes(checking))
    notes.push(
      `${name}: StrictHostKeyChecking ${checking} is not followed; --accept-new-host-keys is explicit`,
    )
  if (options.has('certificatefile')) notes.push(`${name}: CertificateFile is not supported`)
  return options
}

/** Undefined: there is no ssh on this machine. */
async function askSsh(target: SshTarget, laptop: Laptop): Promise<SshOptions | undefined> {
  const { ssh, address } = target
  const argv = [
    ...(await configArgument(laptop)),
    ...(ssh.user === undefined ? [] : ['-l', ssh.user]),
    ...(ssh.port === undefined ? [] : ['-p', String(ssh.port)]),
    '-G',
    '--',
    address,
  ]
  try {
    const { stdout } = await promisify(execFile)('ssh', argv, {
      timeout: SSH_TIMEOUT_MS,
      maxBuffer: SSH_OUTPUT_BYTES,
    })
    return parseSshG(stdout)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    const detail =
      cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause)
    throw new TwonodeError('E_UNREACHABLE', `${target.name}: ssh can not read its configuration`, {
      hint: `See what \`ssh -G ${address}\` says.`,
      detail,
      cause,
    })
  }
}

/** ssh looks into the account's home whatever HOME says; we, like every other tool, go by HOME. */
async function configArgument({ home, accountHome }: Laptop): Promise<string[]> {
  if (home === accountHome) return []
  const own = join(home, '.ssh', 'config')
  return ['-F', (await exists(own)) ? own : 'none']
}

/** Without ssh: the files themselves. What the library does not follow is said. */
async function readFiles(
  { name, address }: SshTarget,
  { home }: Laptop,
  notes: string[],
): Promise<SshOptions> {
  const options = new Map<string, readonly string[]>()
  for (const path of [join(home, '.ssh', 'config'), '/etc/ssh/ssh_config']) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (/^\s*(include\b|match\b.*\bexec\b)/im.test(text))
      notes.push(
        `${name}: ${path}: Include and Match exec are followed only where ssh is installed`,
      )
    // The library would run what Match exec names, and fail on what it can't.
    const found = parse(text.replace(/^\s*match\b.*\bexec\b.*$/gim, 'Host !*'))
    for (const [key, value] of Object.entries(found.compute(address)))
      if (!options.has(key.toLowerCase()))
        options.set(key.toLowerCase(), typeof value === 'string' ? [value] : value)
  }
  return options
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
