import type { ClientChannel } from 'ssh2'
import { toTrouble, TwonodeError, type ErrorKind } from '../core/errors.ts'
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
  /**
   * The first message (the plan) starts the runner: it is on its way before the host has said whether
   * anything must be installed first. Later ones wait for their turn.
   */
  readonly send: (message: ToRunner) => void
  /** Answers `need-blob`: the line and exactly `size` bytes of the file, nothing in between. */
  readonly sendBlob: (sha256: string, path: string, size: number) => Promise<void>
  /** Client bursts so far. */
  readonly roundTrips: () => number
  readonly close: () => void
  /** Never rejects. */
  readonly ended: Promise<SessionEnd>
}

export type SessionEnd =
  /** The runner said its summary and exited. */
  | { readonly kind: 'done' }
  /** We closed it. */
  | { readonly kind: 'closed' }
  /** Sudo, installation, connection or runner failed. */
  | { readonly kind: 'lost'; readonly error: TwonodeError }

/**
 * Connects and logs in. What goes wrong later (sudo, a full disk, a broken connection) ends the
 * session: see {@link Session.ended}.
 *
 * @throws TwonodeError what {@link connect} throws
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
    const start = (opening: Buffer) =>
      launch(wire, { ...launchRequest(settings, options), become, opening })
    return new RunnerSession(settings.name, {
      connection,
      wire,
      start,
      onMessage: options.onMessage,
    })
  } catch (error) {
    connection.close()
    throw error
  }
}

function launchRequest(
  { name, user }: ConnectSettings,
  { bundle, provideRuntime, sudoPassword, onNote, onProgress }: SessionOptions,
): Omit<LaunchRequest, 'become' | 'opening'> {
  const password = sudoPassword === undefined ? undefined : reveal(sudoPassword)
  return { host: name, user, password, bundle, provideRuntime, onNote, onProgress }
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
  /** Brings the runner up, with the protocol's first bytes. */
  readonly start: (opening: Buffer) => Promise<void>
  readonly onMessage: (message: FromRunner) => void
}

class RunnerSession implements Session {
  readonly host: string
  readonly ended: Promise<SessionEnd>
  readonly #running: Running
  #heart: NodeJS.Timeout | undefined
  #lastBeatAt = Date.now()
  #started: Promise<void> | undefined
  #sawSummary = false
  #outcome: SessionEnd | undefined

  constructor(host: string, running: Running) {
    this.host = host
    this.#running = running
    const { wire, connection } = running
    connection.client.once('close', () => wire.destroy())
    this.ended = this.#watch(wire, connection)
  }

  readonly send = (message: ToRunner): void => {
    if (this.#started === undefined) this.#started = this.#start(message)
    else void this.#afterStart(() => this.#running.wire.send(encode(message)))
  }

  readonly sendBlob = async (sha256: string, path: string, size: number): Promise<void> => {
    const header = encode({ type: 'blob', sha256, bytes: size })
    try {
      await this.#afterStart(() => this.#running.wire.sendFile(header, path, size))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.#lose('E_FILE', `${path} can not be sent: ${reason}`)
    }
  }

  readonly roundTrips = (): number => this.#running.connection.bursts()

  readonly close = (): void => {
    this.#outcome ??= { kind: 'closed' }
    this.#running.wire.endInput()
    this.#running.connection.close()
  }

  async #start(opening: ToRunner): Promise<void> {
    const { wire, start } = this.#running
    try {
      await start(Buffer.from(encode(opening)))
    } catch (error) {
      const known = error instanceof TwonodeError ? error : bug(this.host, error)
      this.#outcome ??= { kind: 'lost', error: known }
      return wire.destroy()
    }
    this.#lastBeatAt = Date.now()
    wire.lastHeardAt = this.#lastBeatAt
    this.#heart = setInterval(() => this.#beat(), HEARTBEAT_MS)
    wire.listen((line) => this.#receive(line))
  }

  async #afterStart(act: () => Promise<void>): Promise<void> {
    await this.#started
    await act()
  }

  async #watch(wire: Wire, connection: Connection): Promise<SessionEnd> {
    const end = await wire.ended
    clearInterval(this.#heart)
    connection.close()
    // A launch that fails tells why better than the channel's end does.
    await this.#started
    clearInterval(this.#heart)
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

  #judge({ code, signal }: WireEnd): SessionEnd {
    if (this.#sawSummary) return { kind: 'done' }
    const lost = (kind: ErrorKind, reason: string): SessionEnd => ({
      kind: 'lost',
      error: this.#error(kind, reason),
    })
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

function bug(host: string, error: unknown): TwonodeError {
  const { message, detail } = toTrouble(error)
  return new TwonodeError('E_BUG', `${host}: ${message}`, detail === undefined ? {} : { detail })
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
