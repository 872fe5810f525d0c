import { join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { SSH_PORT } from './known_hosts.ts'
import type { ConnectSettings, IdentityFile } from './settings.ts'

/** A host as the inventory gives it. What is absent is left to the ssh configuration. */
export interface SshTarget {
  readonly name: string
  readonly address: string
  readonly ssh: {
    readonly user?: string
    readonly port?: number
    /** Absolute. */
    readonly identityFile?: string
    /** A socket, or `none`. */
    readonly identityAgent?: string
    readonly proxyJump?: string
    readonly hostKeys: readonly string[]
    /** Absolute; takes the place of the configuration's files. */
    readonly knownHosts?: string
    /** @unit milliseconds */
    readonly connectTimeoutMs: number
  }
}

/** The machine and the person that converge. */
export interface Laptop {
  readonly user: string
  /** By HOME. */
  readonly home: string
  /** By the account's record. */
  readonly accountHome: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly acceptNewHostKeys: boolean
}

/** Options in lower case, each with its values in order, as `ssh -G` prints them. */
export type SshOptions = ReadonlyMap<string, readonly string[]>

/** Reads `ssh -G`: a key and its value a line; a key that repeats is a list. */
export function parseSshG(text: string): SshOptions {
  const options = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space <= 0) continue
    const key = line.slice(0, space).toLowerCase()
    options.set(key, [...(options.get(key) ?? []), line.slice(space + 1).trim()])
  }
  return options
}

/** One link of a ProxyJump chain. */
export interface Jump {
  readonly host: string
  readonly user?: string
  readonly port?: number
}

/** `[user@]host[:port]` or `ssh://…`, by commas; `none` is the empty chain. */
export function parseJumps(text: string, name: string): Jump[] {
  if (text.trim() === '' || text.trim().toLowerCase() === 'none') return []
  return text.split(',').map((part) => {
    const found =
      /^(?:ssh:\/\/)?(?:(?<user>[^@\s]+)@)?(?:\[(?<ip6>[^\]]+)\]|(?<host>[^:@\s[\]]+))(?::(?<port>\d+))?\/?$/.exec(
        part.trim(),
      )?.groups
    const host = found?.['ip6'] ?? found?.['host']
    if (host === undefined || host.startsWith('-'))
      throw new TwonodeError('E_INVENTORY', `${name}: not a jump host: ${part.trim()}`, {
        hint: 'Write `user@host:port`, several by commas.',
      })
    const user = found?.['user']
    const port = found?.['port']
    return {
      host,
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port: Number(port) }),
    }
  })
}

const DEFAULT_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const

/** Settings of one link, without its jumps. Pure. */
export function settingsFrom(
  target: SshTarget,
  options: SshOptions,
  laptop: Laptop,
): ConnectSettings {
  const { ssh } = target
  const one = (key: string) => options.get(key)?.[0]
  const user = ssh.user ?? one('user') ?? laptop.user
  const port = ssh.port ?? Number(one('port') ?? SSH_PORT)
  const address = one('hostname') ?? target.address
  const path = pathExpander({ laptop, address, user, port, target: target.address })
  const named = (options.get('identityfile') ?? defaults(DEFAULT_KEYS)).map(
    (file): IdentityFile => ({ path: path(file), explicit: false }),
  )
  const configured = [
    ...words(options.get('userknownhostsfile') ?? defaults(['known_hosts', 'known_hosts2'])),
    ...words(options.get('globalknownhostsfile') ?? ['/etc/ssh/ssh_known_hosts']),
  ]
  return {
    name: target.name,
    address,
    port,
    user,
    identityFiles:
      ssh.identityFile === undefined ? named : [{ path: path(ssh.identityFile), explicit: true }],
    identitiesOnly: one('identitiesonly') === 'yes',
    identityAgent: agentOf(ssh.identityAgent ?? one('identityagent'), laptop, path),
    proxyJump: [],
    hostKeyAlias: one('hostkeyalias') ?? null,
    knownHostsFiles: (ssh.knownHosts === undefined ? configured : [ssh.knownHosts])
      .filter((file) => file !== 'none')
      .map(path),
    pins: ssh.hostKeys,
    acceptNewHostKeys: laptop.acceptNewHostKeys,
    hashKnownHosts: one('hashknownhosts') === 'yes',
    connectTimeoutMs: ssh.connectTimeoutMs,
  }
}

function defaults(names: readonly string[]): string[] {
  return names.map((name) => `~/.ssh/${name}`)
}

/** Files by spaces; ssh quotes none of them in its output. */
function words(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(/[ \t]+/)).filter((word) => word !== '')
}

function agentOf(
  setting: string | undefined,
  { env }: Laptop,
  path: (file: string) => string,
): string | null {
  const socket = env['SSH_AUTH_SOCK'] ?? ''
  if (setting === 'none') return null
  if (setting === undefined || setting === 'SSH_AUTH_SOCK') return socket === '' ? null : socket
  if (setting.startsWith('$')) return env[setting.slice(1).replace(/^\{(.*)\}$/, '$1')] ?? null
  return path(setting)
}

interface PathFacts {
  readonly laptop: Laptop
  readonly address: string
  readonly user: string
  readonly port: number
  readonly target: string
}

/** `~`, and the tokens of ssh_config(5) that make sense for files. */
function pathExpander({ laptop, address, user, port, target }: PathFacts) {
  const { home, accountHome } = laptop
  const tokens: Readonly<Record<string, string>> = {
    '%': '%',
    d: home,
    h: address,
    n: target,
    p: String(port),
    r: user,
    u: laptop.user,
  }
  return (file: string): string => {
    const expanded = file.replace(/%(.)/g, (all, token: string) => tokens[token] ?? all)
    if (expanded.startsWith('~/')) return join(home, expanded.slice(2))
    // ssh has put the account's home in for its defaults.
    const own = `${accountHome}/.ssh/`
    return expanded.startsWith(own) ? join(home, '.ssh', expanded.slice(own.length)) : expanded
  }
}
