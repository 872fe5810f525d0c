import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { TwonodeError, type ErrorKind } from '../core/errors.ts'
import { parseBootstrapLine, type BootstrapLine } from './bootstrap.ts'
import type { Bundle } from './bundle.ts'
import type { Architecture, ProvideRuntime } from './runtime.ts'
import { explainStartFailure, SUDO_HANGS_HINT } from './sudo.ts'
import type { Wire } from './wire.ts'

export interface LaunchRequest {
  readonly host: string
  readonly user: string
  readonly become: 'no' | 'sudo' | 'sudo-with-password'
  /** For sudo; goes to its standard input and nowhere else. */
  readonly password: string | undefined
  readonly bundle: Bundle
  readonly provideRuntime: ProvideRuntime
  /** First bytes of the protocol, sent without waiting for anything. */
  readonly opening: Buffer
  readonly onNote: (message: string) => void
  readonly onProgress: (message: string) => void
}

/** When to say that the log-in shell or sudo takes long. @unit milliseconds */
const SLOW_START_MS = 8_000
/** When to give it up. A dead resolver costs sudo 10 s for each name server. @unit milliseconds */
const START_TIMEOUT_MS = 30_000
/** What the bootstrap may take between two signs of life: it syncs 126 MB to a slow disk. @unit milliseconds */
const INSTALL_IDLE_MS = 120_000
/** Lines before the script's own that a log-in shell may print. */
const MOST_NOISE_LINES = 500

/**
 * Brings a host from "exec confirmed" to "the runner reads its standard input", with whatever of
 * ours was missing put there on the way.
 */
export async function launch(wire: Wire, request: LaunchRequest): Promise<void> {
  const { host, become, password, opening } = request
  const first = Buffer.concat([Buffer.from(`twonode-input ${opening.length}\n`), opening])
  if (become === 'sudo-with-password') {
    // One turn more: a wrong password makes sudo ask again, and it must not read the plan as one.
    void wire.send(`${password ?? ''}\n`)
    await started(wire, request)
    void wire.send(first)
  } else {
    void wire.send(first)
    await started(wire, request)
  }
  const line = await understood(wire, request)
  if (line.kind === 'exec') return
  if (line.kind !== 'missing')
    throw new TwonodeError('E_BUG', `${host}: bootstrap said ${line.kind}`)
  await supply(wire, request, line)
  // What was on its way was thrown away: say it again.
  void wire.send(opening)
}

async function started(wire: Wire, request: LaunchRequest): Promise<void> {
  const slow = setTimeout(() => {
    const what = request.become === 'no' ? 'the log-in shell' : 'sudo'
    request.onNote(`${request.host}: ${what} takes long. ${SUDO_HANGS_HINT}`)
  }, SLOW_START_MS)
  // sudo would take what comes next for further passwords.
  wire.onStderr = (soFar) => {
    if (request.become === 'sudo-with-password' && /try again/i.test(soFar)) wire.endInput()
  }
  const noise: string[] = []
  try {
    while (noise.length < MOST_NOISE_LINES) {
      const text = await wire.nextLine(START_TIMEOUT_MS)
      if (text === undefined) break
      const line = parseBootstrapLine(text)
      if (line.kind === 'start') return
      noise.push(text)
    }
  } finally {
    clearTimeout(slow)
    wire.onStderr = () => undefined
  }
  const end = wire.isClosed ? await wire.ended : undefined
  const said = [wire.stderr.trim(), noise.join('\n').trim()].filter((part) => part !== '')
  throw explainStartFailure(request, { end, said: said.join('\n') })
}

async function understood(wire: Wire, { host }: LaunchRequest): Promise<BootstrapLine> {
  const text = await wire.nextLine(INSTALL_IDLE_MS)
  if (text === undefined) throw await unfinished(wire, host)
  const line = parseBootstrapLine(text)
  if (line.kind === 'error') throw refusal(host, line.reason, line.text)
  return line
}

async function unfinished(wire: Wire, host: string): Promise<TwonodeError> {
  const fault = wire.isClosed ? (await wire.ended).fault : undefined
  if (fault !== undefined) return new TwonodeError(fault.kind, `${host}: ${fault.reason}`)
  const message = wire.isClosed
    ? `${host}: the connection ended while twonode was being put there`
    : `${host}: nothing happened for ${INSTALL_IDLE_MS / 1000} s while twonode was being put there`
  return new TwonodeError('E_CONNECTION_LOST', message, { detail: wire.stderr })
}

const REASONS: Readonly<Record<string, { kind: ErrorKind; hint?: string }>> = {
  owner: {
    kind: 'E_FILESYSTEM',
    hint: 'What runs as root must be root’s: look at who made that folder, then remove it.',
  },
  files: { kind: 'E_FILESYSTEM' },
  checksum: { kind: 'E_DOWNLOAD' },
  'no-node': {
    kind: 'E_MISSING',
    hint: 'Install Node 22 or newer, or leave out `runtime: system`.',
  },
  'old-node': {
    kind: 'E_MISSING',
    hint: 'Install Node 22 or newer, or leave out `runtime: system`.',
  },
  'no-tool': { kind: 'E_MISSING', hint: 'Install it on the host (coreutils, gzip, findutils).' },
  arch: { kind: 'E_MISSING', hint: 'Install Node 22 or newer there and set `runtime: system`.' },
  libc: { kind: 'E_MISSING', hint: 'Install Node 22 or newer there and set `runtime: system`.' },
}

function refusal(host: string, reason: string, text: string): TwonodeError {
  const { kind, hint } = REASONS[reason] ?? { kind: 'E_BUG' as const }
  return new TwonodeError(kind, `${host}: ${text.trim()}`, hint === undefined ? {} : { hint })
}

/** Sends what is missing, and waits until it is in place. */
async function supply(
  wire: Wire,
  request: LaunchRequest,
  missing: Extract<BootstrapLine, { kind: 'missing' }>,
): Promise<void> {
  const upload = async () => {
    if (missing.pieces.includes('runtime')) await sendRuntime(wire, request, missing.arch)
    if (missing.pieces.includes('bundle')) await sendBundle(wire, request)
    await wire.send('done\n')
  }
  // Listened to from the start: a full disk is said in the middle of a piece.
  const answer = understood(wire, request)
  const [sent, line] = await Promise.allSettled([
    upload().catch((error: unknown) => {
      wire.destroy()
      throw error
    }),
    answer,
  ])
  if (sent.status === 'rejected') throw sent.reason
  if (line.status === 'rejected') throw line.reason
  if (line.value.kind !== 'exec')
    throw new TwonodeError('E_BUG', `${request.host}: bootstrap said ${line.value.kind}`)
}

async function sendRuntime(wire: Wire, request: LaunchRequest, arch: string): Promise<void> {
  const keepWaiting = setInterval(() => {
    wire.lastMovedAt = Date.now()
  }, 1_000)
  const { path, sha256 } = await request
    .provideRuntime(arch as Architecture)
    .finally(() => clearInterval(keepWaiting))
  const { size } = await stat(path)
  let saidAt = 0
  const onBytes = (sent: number) => {
    if (Date.now() - saidAt < 1_000) return
    saidAt = Date.now()
    request.onProgress(`sending the runtime: ${megabytes(sent)} of ${megabytes(size)} MB`)
  }
  await wire.sendFile(`piece node ${size} ${sha256}\n`, path, size, onBytes)
}

async function sendBundle(wire: Wire, { bundle }: LaunchRequest): Promise<void> {
  for (const { name, path } of bundle.files) {
    const content = await readFile(path)
    const packed = await promisify(gzip)(content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    await wire.send(`piece bundle/${name} ${packed.length} ${sha256}\n`)
    await wire.send(packed)
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_000_000)
}
