import { constants } from 'node:fs'
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TwonodeError, messageOf } from '../core/errors.ts'
import {
  fingerprint,
  formatLine,
  judge,
  keyTypeOf,
  knownTypes,
  lookupName,
  matchesHost,
  matchesPin,
  orderAlgorithms,
  parseKnownHosts,
  type HostKeyAlgorithm,
  type HostKeyLine,
  type Verdict,
} from './known_hosts.ts'
import { describe, type ConnectSettings } from './settings.ts'

/** What is known about one host's keys before it is asked for one. */
export interface HostKeyCheck {
  readonly algorithms: readonly HostKeyAlgorithm[]
  /** @throws TwonodeError (`E_HOST_KEY`) when the key must not be trusted. */
  readonly verify: (shown: Buffer) => Promise<void>
}

/** Reads the known_hosts files. One that exists and can't be read fails closed. */
export async function loadHostKeyCheck(
  settings: ConnectSettings,
  onNote: (message: string) => void,
): Promise<HostKeyCheck> {
  const name = settings.hostKeyAlias ?? lookupName(settings.address, settings.port)
  const lines = await readKnownHosts(settings)
  if (lines.some(({ marker, hosts }) => marker === 'cert-authority' && matchesHost(hosts, name)))
    onNote(`${settings.name}: @cert-authority lines in known_hosts are not supported, passed over`)
  const pinned = new Set(settings.pins.map((pin) => pin.trim().split(/[ \t]+/)[0] ?? ''))
  const types = settings.pins.length > 0 ? pinned : knownTypes(lines, name)
  return {
    algorithms: orderAlgorithms(types),
    verify: (shown) => verify(settings, { lines, name, shown, onNote }),
  }
}

interface Question {
  readonly lines: readonly HostKeyLine[]
  readonly name: string
  readonly shown: Buffer
  readonly onNote: (message: string) => void
}

async function verify(settings: ConnectSettings, question: Question): Promise<void> {
  const { lines, name, shown, onNote } = question
  const verdict = judge(lines, name, shown)
  if (verdict.kind === 'revoked') throw refusal(settings, shown, verdict)
  if (settings.pins.length > 0) return verifyPins(settings, shown)
  if (verdict.kind === 'known') return
  if (verdict.kind === 'unknown' && isKnownWithoutPort(settings, lines, shown)) return
  if (verdict.kind !== 'unknown' || !settings.acceptNewHostKeys)
    throw refusal(settings, shown, verdict)
  await acceptNew(settings, name, shown)
  onNote(`${settings.name}: new host key ${keyTypeOf(shown)} ${fingerprint(shown)} accepted`)
}

function verifyPins(settings: ConnectSettings, shown: Buffer): void {
  if (settings.pins.some((pin) => matchesPin(pin, shown))) return
  throw new TwonodeError(
    'E_HOST_KEY',
    `${describe(settings)} shows host key ${fingerprint(shown)} (${keyTypeOf(shown)}), which is not ` +
      `among the inventory's: ${settings.pins.join('; ')}`,
    { hint: "Compare with the host's console; if the host was reinstalled, change the inventory." },
  )
}

/** As OpenSSH does: a host on another port may be known by its bare name, by the same key only. */
function isKnownWithoutPort(
  { hostKeyAlias, address }: ConnectSettings,
  lines: readonly HostKeyLine[],
  shown: Buffer,
): boolean {
  return hostKeyAlias === null && judge(lines, address.toLowerCase(), shown).kind === 'known'
}

function refusal(
  settings: ConnectSettings,
  shown: Buffer,
  verdict: Exclude<Verdict, { kind: 'known' }>,
): TwonodeError {
  const key = `${keyTypeOf(shown)} ${fingerprint(shown)}`
  const where = describe(settings)
  if (verdict.kind === 'revoked') {
    const { file, line } = verdict.by
    return new TwonodeError(
      'E_HOST_KEY',
      `${where}: host key ${key} is revoked by ${file}:${line}`,
      {
        hint: 'Do not connect: whoever revoked the key knew why. Give the host a new one.',
      },
    )
  }
  if (verdict.kind === 'unknown')
    return new TwonodeError('E_HOST_KEY', `${where}: host key ${key} is not known`)
  const known = verdict.known
    .map((line) => `${line.keyType} ${fingerprint(line.key)} (${line.file}:${line.line})`)
    .join(', ')
  return new TwonodeError(
    'E_HOST_KEY',
    `${where}: host key changed: it shows ${key}, but known is ${known}`,
    {
      hint: 'Someone may be in between, or the host was reinstalled: then remove the line named.',
    },
  )
}

async function readKnownHosts({ name, knownHostsFiles }: ConnectSettings): Promise<HostKeyLine[]> {
  const texts = await Promise.all(
    knownHostsFiles.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, 'utf8'), file)
      } catch (error) {
        if (isCode(error, 'ENOENT')) return []
        // A revocation may stand in it: not being able to read it is no licence to go on.
        throw new TwonodeError(
          'E_HOST_KEY',
          `${name}: ${file} can not be read: ${messageOf(error)}`,
          {
            hint: 'Mend the file or its permissions.',
            cause: error,
          },
        )
      }
    }),
  )
  return texts.flat()
}

/** @unit milliseconds: how long an append waits for another one's lock */
const LOCK_WAIT_MS = 5_000
/** @unit milliseconds: a lock this old belongs to a process that died */
const LOCK_STALE_MS = 30_000
const LOCK_POLL_MS = 20

/** Appends under a lock, after a second look: another process may have been faster, or know better. */
async function acceptNew(settings: ConnectSettings, name: string, shown: Buffer): Promise<void> {
  const [file] = settings.knownHostsFiles
  if (file === undefined) return
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await withLock(`${file}.twonode-lock`, async () => {
      const verdict = judge(await readKnownHosts(settings), name, shown)
      if (verdict.kind === 'known') return
      if (verdict.kind !== 'unknown') throw refusal(settings, shown, verdict)
      await appendDurably(file, formatLine(name, shown, settings.hashKnownHosts))
    })
  } catch (error) {
    if (error instanceof TwonodeError) throw error
    throw new TwonodeError('E_HOST_KEY', `${settings.name}: ${file}: ${messageOf(error)}`, {
      hint: 'The accepted key must be stored: mend the file or its permissions.',
      cause: error,
    })
  }
}

async function appendDurably(file: string, line: string): Promise<void> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT
  const handle = await open(file, flags, 0o600)
  try {
    const { size } = await handle.stat()
    const last = Buffer.alloc(1)
    if (size > 0) await handle.read(last, 0, 1, size - 1)
    // A last line without its end would swallow ours.
    const start = size > 0 && last.toString() !== '\n' ? '\n' : ''
    await handle.write(start + line)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function withLock(path: string, act: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + LOCK_WAIT_MS
  while (!(await tryLock(path))) {
    if (Date.now() > deadline) throw new Error(`${path} is held by another process`)
    await sleep(LOCK_POLL_MS)
  }
  try {
    await act()
  } finally {
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    if (age > LOCK_STALE_MS) await rm(path, { force: true })
    return false
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
