import { createHash, createHmac, randomBytes } from 'node:crypto'

/**
 * known_hosts as OpenSSH reads it, pure: no files here.
 * @source https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT and hostfile.c
 */
export interface HostKeyLine {
  readonly file: string
  readonly line: number
  readonly marker: 'none' | 'revoked' | 'cert-authority'
  /** `|1|salt|hash`, or comma-separated patterns. */
  readonly hosts: string
  readonly keyType: string
  readonly key: Buffer
}

/** What known_hosts say about a key that a host showed. */
export type Verdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  /** The host is known by other keys. */
  | { readonly kind: 'changed'; readonly known: readonly HostKeyLine[] }
  | { readonly kind: 'revoked'; readonly by: HostKeyLine }

export const SSH_PORT = 22

/** The name under which known_hosts has a host: the port only when it is not 22. */
export function lookupName(address: string, port: number): string {
  const host = address.toLowerCase()
  return port === SSH_PORT ? host : `[${host}]:${port}`
}

/** Lines that hold a usable key. What can't be read as one is skipped, as OpenSSH skips it. */
export function parseKnownHosts(text: string, file: string): HostKeyLine[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/[ \t]+/)
    const [first = ''] = words
    if (first === '' || first.startsWith('#')) return []
    const marker = MARKERS.get(first) ?? 'none'
    if (marker === 'none' && first.startsWith('@')) return []
    const [hosts, keyType, encoded] = marker === 'none' ? words : words.slice(1)
    if (hosts === undefined || keyType === undefined || encoded === undefined) return []
    const key = decodeKey(keyType, encoded)
    return key === undefined ? [] : [{ file, line: index + 1, marker, hosts, keyType, key }]
  })
}

const MARKERS: ReadonlyMap<string, HostKeyLine['marker']> = new Map([
  ['@revoked', 'revoked'],
  ['@cert-authority', 'cert-authority'],
])

/** A key's blob begins with its own type: a line whose two types differ is damaged. */
function decodeKey(keyType: string, encoded: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined
  const key = Buffer.from(encoded, 'base64')
  return keyTypeOf(key) === keyType ? key : undefined
}

/** The type that a public key's blob names, empty when it is none. */
export function keyTypeOf(key: Buffer): string {
  if (key.length < 5) return ''
  const length = key.readUInt32BE(0)
  return length > 64 || key.length <= 4 + length ? '' : key.toString('latin1', 4, 4 + length)
}

/** Does a line's host field mean this name (as {@link lookupName} gives it)? */
export function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name)
  let found = false
  for (const pattern of hosts.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!')
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue
    // One negated match and the line does not mean this host, whatever else matches.
    if (negated) return false
    found = true
  }
  return found
}

function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt, hash, rest] = hosts.split('|')
  if (version !== '1' || salt === undefined || hash === undefined || rest !== undefined)
    return false
  return hashName(name, Buffer.from(salt, 'base64')) === hash
}

function hashName(name: string, salt: Buffer): string {
  return createHmac('sha1', salt).update(name).digest('base64')
}

/**
 * Only `*` and `?` are special. Greedy with one point to return to: linear in pattern × name, where a
 * regular expression of a hostile line could take for ever.
 */
function matchesPattern(pattern: string, name: string): boolean {
  let p = 0
  let star = -1
  let resume = 0
  for (let n = 0; n < name.length;) {
    if (pattern[p] === '*') {
      star = p++
      resume = n
    } else if (pattern[p] === '?' || pattern[p] === name[n]) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/**
 * Judges the key that a host showed. Another *type* of key than those known counts as changed, which
 * is stricter than OpenSSH: we ask for the known types first, so an honest host shows one of them.
 */
export function judge(lines: readonly HostKeyLine[], name: string, shown: Buffer): Verdict {
  const own = lines.filter((line) => matchesHost(line.hosts, name))
  const revoked = own.find((line) => line.marker === 'revoked' && line.key.equals(shown))
  if (revoked !== undefined) return { kind: 'revoked', by: revoked }
  const known = own.filter((line) => line.marker === 'none')
  if (known.some((line) => line.key.equals(shown))) return { kind: 'known' }
  return known.length === 0 ? { kind: 'unknown' } : { kind: 'changed', known }
}

/** Types of the keys that are known for a host. */
export function knownTypes(lines: readonly HostKeyLine[], name: string): Set<string> {
  const own = lines.filter((line) => line.marker === 'none' && matchesHost(line.hosts, name))
  return new Set(own.map((line) => line.keyType))
}

/** Host key algorithms that we accept, best first; SHA-1 signatures are not among them. */
const HOST_KEY_ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const

export type HostKeyAlgorithm = (typeof HOST_KEY_ALGORITHMS)[number]

/** Known types first, so that a host known by one key is not asked for another that we don't know. */
export function orderAlgorithms(types: ReadonlySet<string>): HostKeyAlgorithm[] {
  const isKnown = (name: HostKeyAlgorithm) =>
    types.has(name.startsWith('rsa-sha2-') ? 'ssh-rsa' : name)
  return [
    ...HOST_KEY_ALGORITHMS.filter(isKnown),
    ...HOST_KEY_ALGORITHMS.filter((name) => !isKnown(name)),
  ]
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/**
 * Is this key pinned? A pin is type and base64, with or without a comment. Not a fingerprint: it has
 * no type, and the host would show its key of another one.
 */
export function matchesPin(pin: string, shown: Buffer): boolean {
  const [keyType = '', encoded = ''] = pin.trim().split(/[ \t]+/)
  return decodeKey(keyType, encoded)?.equals(shown) ?? false
}

/** A line for a newly accepted key. */
export function formatLine(name: string, key: Buffer, hashed: boolean): string {
  const salt = randomBytes(20)
  const host = hashed ? `|1|${salt.toString('base64')}|${hashName(name, salt)}` : name
  return `${host} ${keyTypeOf(key)} ${key.toString('base64')}\n`
}
