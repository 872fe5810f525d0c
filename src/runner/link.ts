import type { Readable, Writable } from 'node:stream'
import { type ExitCode, TwonodeError, toTrouble } from '../core/errors.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { Plan, RunOptions } from '../core/plan.ts'
import { HEARTBEAT_MS, SILENCE_MS, type FromRunner, type ToRunner } from '../core/protocol.ts'
import { Secret } from '../core/secret.ts'
import { Blobs } from './blobs.ts'
import { Redaction } from './redaction.ts'
import { RemoteControl } from './remote_control.ts'
import { WireReader, WireWriter } from './wire.ts'

/** How long the last lines may take to leave. @unit milliseconds */
const FLUSH_MS = 2_000

/** What a controller begins with. */
export interface Opening {
  readonly plan: Plan
  readonly host: string
  readonly options: RunOptions
  readonly secrets: ReadonlyMap<string, Secret>
}

export interface LinkSettings {
  readonly input: Readable
  readonly output: Writable
  /** Aborts, with the error to end with, when the process is told to end. */
  readonly ending: AbortSignal
}

/** Both directions of the connection, and what must go on whatever the run is doing. */
export class Link {
  readonly redaction = new Redaction()
  readonly control: RemoteControl
  /** The plan; undefined when the controller left without sending one. */
  readonly opening: Promise<Opening | undefined>
  readonly blobs: Blobs
  /** Told of the messages that the run itself answers. */
  onExport: (name: SiteSecretName) => void = () => {}
  readonly #writer: WireWriter
  readonly #reader: WireReader
  readonly #heart: NodeJS.Timeout
  #lastBeatAt = performance.now()
  #host = ''
  #open: (opening: Opening | undefined) => void = () => {}

  constructor({ input, output, ending }: LinkSettings) {
    this.control = new RemoteControl((message) => this.send(message))
    this.blobs = new Blobs((message) => this.send(message))
    const lost = (why: string) => this.#halt(new TwonodeError('E_CONNECTION_LOST', why))
    this.#writer = new WireWriter(output, () => lost('the controller does not read any more'))
    this.#reader = new WireReader({
      onMessage: (message) => this.#receive(message),
      onBlob: (sha256, bytes) => this.blobs.come(sha256, bytes),
    })
    this.opening = new Promise((resolve) => {
      this.#open = resolve
    })
    this.#heart = setInterval(() => this.#beat(lost), HEARTBEAT_MS)
    const end = () => this.#halt(ending.reason as TwonodeError)
    ending.addEventListener('abort', end)
    if (ending.aborted) end()
    void this.#listen(input)
  }

  readonly send = (message: FromRunner): void => {
    // The one message whose purpose is to carry a secret.
    const isSecret = 'type' in message && message.type === 'site-secret'
    this.#writer.line(isSecret ? JSON.stringify(message) : this.redaction.line(message))
  }

  /** Ends the run before its first step with an error of ours. */
  fail(error: unknown): ExitCode {
    const trouble = toTrouble(error)
    const { exitCode } = trouble
    const host = this.#host
    const counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }
    this.send({ event: 'trouble', host, trouble })
    this.send({ event: 'host-summary', host, counts, exitCode })
    return exitCode
  }

  async close(): Promise<void> {
    clearInterval(this.#heart)
    await this.#writer.end(FLUSH_MS)
  }

  async #listen(input: Readable): Promise<void> {
    try {
      await this.#reader.read(input)
      this.#ended()
    } catch (error) {
      this.#halt(
        error instanceof TwonodeError
          ? error
          : new TwonodeError('E_CONNECTION_LOST', 'the connection broke', { cause: error }),
      )
    }
  }

  #ended(): void {
    this.#open(undefined)
    this.control.end()
    this.blobs.close(new TwonodeError('E_CONNECTION_LOST', 'the controller is gone'))
  }

  #halt(reason: TwonodeError): void {
    this.#open(undefined)
    this.control.halt(reason)
    this.blobs.close(reason)
    this.#reader.abandon(reason)
  }

  #receive(message: ToRunner): void {
    if (message.type === 'plan') {
      this.#host = message.host
      const secrets = Object.entries(message.secrets).map(
        ([id, { value, origin }]) => [id, new Secret(value, origin)] as const,
      )
      this.redaction.add(...secrets.map(([, secret]) => secret))
      const { plan, host, options } = message
      return this.#open({ plan, host, options, secrets: new Map(secrets) })
    }
    if (message.type === 'no-blob') return this.blobs.refuse(message.sha256, message.reason)
    if (message.type === 'site-secret' && message.action === 'export')
      return this.onExport(message.name)
    return this.control.receive(message)
  }

  /** Sent whatever else is going on, and heard likewise: a vanished laptop must not keep the host. */
  #beat(lost: (why: string) => void): void {
    this.send({ type: 'heartbeat' })
    const now = performance.now()
    // A machine that was paused, or too busy to listen, has no right to call the controller silent.
    if (now - this.#lastBeatAt > 2 * HEARTBEAT_MS) this.#reader.pardon()
    this.#lastBeatAt = now
    const silentMs = now - this.#reader.lastHeardAt
    if (silentMs >= SILENCE_MS) lost(`nothing was heard for ${Math.round(silentMs / 1000)} s`)
  }
}
