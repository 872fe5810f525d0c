import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ClientChannel } from 'ssh2'
import { TwonodeError, type ErrorKind } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import { HEARTBEAT_MS, SILENCE_MS, type FromRunner, type ToRunner } from '../core/protocol.ts'
import { reveal, type Text } from '../core/secret.ts'
import { bootstrapCommand, INSTALL_ROOT } from './bootstrap.ts'
import { checkBundle, type Bundle } from './bundle.ts'
import { connect, type Connection, type ConnectPorts } from './connect.ts'
import { launch, type LaunchRequest } from './install.ts'
import type { ProvideRuntime } from './runtime.ts'
import type { ConnectSettings } from './settings.ts'
import { Wire, type WireEnd } from './wire.ts'

export interface SessionOptions extends ConnectPorts {
  readonly bundle: Bundle
  readonly runtime: 'bundled' | 'system'
  readonly provideRuntime: ProvideRuntime
  /** The plan: on its way before the host has said whether anything must be installed first. */
  readonly opening: ToRunner
  /** Without it sudo must not ask; unused for root. */
  readonly sudoPassword?: Text
  readonly onMessage: (message: FromRunner) => void
  readonly onProgress: (message: string) => void
  /** Where everything lies on the host; other than the default in tests. */
  readonly root?: string
}

/** A runner on a host. */
export interface Session {
  readonly host: string
  readonly send: (message: ToRunner) => void
  /** Answers `need-blob`: the line and exactly `size` bytes of the file, nothing in between. */
  readonly sendBlob: (sha256: string, path: string, size: number) => Promise<void>
  /** Client bursts so far. */
  readonly roundTrips: () => number
  readonly close: () => void
  /** Never rejects. */
  readonly ended: Promise<SessionEnd>
}

type SessionEnd =
  /** The runner said its summary and exited. */
  | { readonly kind: 'done' }
  /** We closed it. */
  | { readonly kind: 'closed' }
  /** Connection or runner failed. */
  | { readonly kind: 'lost'; readonly error: TwonodeError }

/**
 * Connects, puts what is missing on the host, and starts the runner there. Resolves when the runner
 * has the opening; what it says goes to `onMessage`, never before this resolves.
 *
 * @throws TwonodeError what {@link connect} throws; E_SUDO; E_FILESYSTEM, E_MISSING or E_DOWNLOAD
 */
export async function openSession(
  settings: ConnectSettings,
  options: SessionOptions,
): Promise<Session> {
  checkBundle(options.bundle)
  const become = becomeOf(settings, options)
  const { bundle, runtime, root = INSTALL_ROOT } = options
  const command = bootstrapCommand({ root, sha256: bundle.sha256, runtime, become })
  const connection = await connect(settings, options)
  try {
    const wire = new Wire(await exec(connection, command, settings))
    connection.client.once('close', () => wire.destroy())
    await launch(wire, launchRequest(settings, options, become))
    return new RunnerSession(settings.name, { connection, wire, onMessage: options.onMessage })
  } catch (error) {
    connection.close()
    throw error
  }
}

function launchRequest(
  { name, user }: ConnectSettings,
  options: SessionOptions,
  become: LaunchRequest['become'],
): LaunchRequest {
  const { bundle, provideRuntime, sudoPassword, onNote, onProgress } = options
  const password = sudoPassword === undefined ? undefined : reveal(sudoPassword)
  const opening = Buffer.from(encode(options.opening))
  return { host: name, user, become, password, bundle, provideRuntime, opening, onNote, onProgress }
}

function becomeOf(
  { name, user }: ConnectSettings,
  { sudoPassword }: SessionOptions,
): LaunchRequest['become'] {
  if (user === 'root') return 'no'
  if (sudoPassword === undefined) return 'sudo'
  if (/[\r\n]/.test(reveal(sudoPassword)))
    throw new TwonodeError('E_SUDO', `${name}: the sudo password holds a line break`)
  return 'sudo-with-password'
}

function exec(
  { client }: Connection,
  command: string,
  { name, connectTimeoutMs }: ConnectSettings,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer)
      reject(new TwonodeError('E_UNREACHABLE', `${name}: sshd starts no command: ${reason}`))
    }
    const timer = setTimeout(() => fail('no answer'), connectTimeoutMs)
    client.exec(command, (error, channel) => {
      if (error !== undefined) return fail(error.message)
      clearTimeout(timer)
      resolve(channel)
    })
  })
}

interface Running {
  readonly connection: Connection
  readonly wire: Wire
  readonly onMessage: (message: FromRunner) => void
}

class RunnerSession implements Session {
  readonly host: string
  readonly ended: Promise<SessionEnd>
  readonly #running: Running
  readonly #heart: NodeJS.Timeout
  #lastBeatAt = Date.now()
  #sawSummary = false
  #outcome: SessionEnd | undefined

  constructor(host: string, running: Running) {
    this.host = host
    this.#running = running
    const { wire } = running
    wire.lastHeardAt = this.#lastBeatAt
    this.#heart = setInterval(() => this.#beat(), HEARTBEAT_MS)
    // The caller gets the session first, then what it says.
    const listening = nextTurn().then(() => wire.listen((line) => this.#receive(line)))
    this.ended = this.#watch(listening)
  }

  readonly send = (message: ToRunner): void => {
    void this.#running.wire.send(encode(message))
  }

  readonly sendBlob = async (sha256: string, path: string, size: number): Promise<void> => {
    const header = encode({ type: 'blob', sha256, bytes: size })
    await this.#running.wire.sendFile(header, path, size)
  }

  readonly roundTrips = (): number => this.#running.connection.bursts()

  readonly close = (): void => {
    this.#outcome ??= { kind: 'closed' }
    this.#running.wire.endInput()
    this.#running.connection.close()
  }

  async #watch(listening: Promise<void>): Promise<SessionEnd> {
    const { wire, connection } = this.#running
    const end = await wire.ended
    await listening
    clearInterval(this.#heart)
    connection.close()
    return this.#outcome ?? this.#judge(end)
  }

  #receive(line: string): void {
    const message = decode(line)
    if (message === undefined)
      return this.#lose('E_BUG', `the runner said what is no message: ${line.slice(0, 80)}`)
    if ('event' in message && message.event === 'host-summary') this.#sawSummary = true
    if ('type' in message && message.type === 'heartbeat') return
    this.#running.onMessage(message)
  }

  #beat(): void {
    const now = Date.now()
    // A laptop that slept, or was too busy to listen, has no right to call the host silent.
    const wasAway = now - this.#lastBeatAt > 2 * HEARTBEAT_MS
    this.#lastBeatAt = now
    if (wasAway) this.#running.wire.lastHeardAt = now
    if (now - this.#running.wire.lastHeardAt >= SILENCE_MS)
      return this.#lose('E_CONNECTION_LOST', `nothing was heard for ${SILENCE_MS / 1000} s`)
    this.send({ type: 'heartbeat' })
  }

  #lose(kind: ErrorKind, reason: string): void {
    this.#outcome ??= { kind: 'lost', error: this.#error(kind, reason) }
    this.#running.wire.destroy()
    this.#running.connection.close()
  }

  #judge({ code, signal, fault }: WireEnd): SessionEnd {
    if (this.#sawSummary) return { kind: 'done' }
    const lost = (kind: ErrorKind, reason: string): SessionEnd => ({
      kind: 'lost',
      error: this.#error(kind, reason),
    })
    if (fault !== undefined) return lost(fault.kind, fault.reason)
    if (signal !== null) return lost('E_CONNECTION_LOST', `the runner was ended by ${signal}`)
    if (code === null) return lost('E_CONNECTION_LOST', 'the connection broke')
    // 128 + n is how shells and sudo report a signal.
    if (code > 128) return lost('E_CONNECTION_LOST', `the runner was ended by signal ${code - 128}`)
    return lost('E_BUG', `the runner ended without a summary (exit code ${code})`)
  }

  #error(kind: ErrorKind, reason: string): TwonodeError {
    const detail = this.#running.wire.stderr.trim()
    return new TwonodeError(kind, `${this.host}: ${reason}`, detail === '' ? {} : { detail })
  }
}

function encode(message: ToRunner): string {
  return `${JSON.stringify(message)}\n`
}

/** The runner is ours and was started from our bundle: its shapes are trusted, its JSON is not. */
function decode(line: string): FromRunner | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) && ('event' in value || 'type' in value)
      ? (value as unknown as FromRunner)
      : undefined
  } catch {
    return undefined
  }
}
