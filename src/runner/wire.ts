import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { PassThrough } from 'node:stream'
import { TwonodeError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { ToRunner } from '../core/protocol.ts'

/** Longer than any plan; a controller gone mad does not fill the host's memory. @unit bytes */
const LONGEST_LINE_BYTES = 64 * 1024 * 1024

/** What may wait for a controller that does not read. @unit bytes */
const MOST_WAITING_BYTES = 32 * 1024 * 1024

const NEWLINE = 0x0a

export interface WireListener {
  readonly onMessage: (message: ToRunner) => void
  /** The bytes after a `blob` line. Whoever takes them may give up: the rest is passed over. */
  readonly onBlob: (sha256: string, bytes: Readable) => void
}

/** Reads lines, and the raw bytes that follow some of them, until the stream ends. */
export class WireReader {
  #lastHeardAt = performance.now()
  /** Bytes are here and a slow disk does not take them: it is not the controller that is silent. */
  #isBusy = false
  readonly #listener: WireListener
  #parts: Buffer[] = []
  #length = 0
  #blob: { readonly sink: Writable; left: number } | undefined

  constructor(listener: WireListener) {
    this.#listener = listener
  }

  /** When bytes last came, or were waiting for us to take them. @unit milliseconds, monotonic */
  get lastHeardAt(): number {
    return this.#isBusy ? performance.now() : this.#lastHeardAt
  }

  /** Silence counts from now on: this host was away itself. */
  pardon(): void {
    this.#lastHeardAt = performance.now()
  }

  /** The rest of an artifact that is half here will not come: who copies it stops waiting for it. */
  abandon(reason: Error): void {
    this.#blob?.sink.destroy(reason)
  }

  /** Resolves at the end of the stream. @throws TwonodeError for what is no message of the protocol */
  async read(input: Readable): Promise<void> {
    try {
      for await (const chunk of input) await this.#take(chunk as Buffer)
    } finally {
      // Half a blob must not look like a whole one.
      this.#blob?.sink.destroy(new Error('the connection ended in the middle of an artifact'))
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#isBusy = true
    let rest = chunk
    while (rest.length > 0)
      rest = this.#blob === undefined ? this.#takeLine(rest) : await this.#takeBlob(rest)
    this.#isBusy = false
    this.#lastHeardAt = performance.now()
  }

  #takeLine(chunk: Buffer): Buffer {
    const end = chunk.indexOf(NEWLINE)
    const part = end < 0 ? chunk : chunk.subarray(0, end)
    this.#parts.push(part)
    this.#length += part.length
    if (this.#length > LONGEST_LINE_BYTES) throw garbled('a line has no end')
    if (end < 0) return chunk.subarray(chunk.length)
    const line = Buffer.concat(this.#parts).toString('utf8')
    this.#parts = []
    this.#length = 0
    this.#message(line)
    return chunk.subarray(end + 1)
  }

  #message(line: string): void {
    const message = parse(line)
    if (message.type === 'blob') this.#beginBlob(message)
    else this.#listener.onMessage(message)
  }

  #beginBlob({ sha256, bytes }: { readonly sha256: string; readonly bytes: number }): void {
    const sink = new PassThrough()
    // Whoever reads it sees the error too; here it only means that the rest is passed over.
    sink.on('error', () => {})
    this.#listener.onBlob(sha256, sink)
    if (bytes === 0) sink.end()
    else this.#blob = { sink, left: bytes }
  }

  async #takeBlob(chunk: Buffer): Promise<Buffer> {
    const blob = this.#blob
    if (blob === undefined) return chunk
    const part = chunk.subarray(0, blob.left)
    blob.left -= part.length
    if (blob.left === 0) this.#blob = undefined
    await passOn(blob.sink, part)
    if (blob.left === 0) blob.sink.end()
    return chunk.subarray(part.length)
  }
}

/** Waits until a slow disk has taken it, or whoever took it has given up. */
async function passOn(sink: Writable, part: Buffer): Promise<void> {
  if (sink.destroyed || sink.write(part)) return
  const over = new AbortController()
  const settled = { signal: over.signal }
  try {
    await Promise.race([once(sink, 'drain', settled), once(sink, 'close', settled)])
  } catch {
    // The reader failed: its own error tells why.
  } finally {
    over.abort()
  }
}

function parse(line: string): ToRunner {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw garbled('a line is no JSON', cause)
  }
  if (!isObject(value) || typeof value['type'] !== 'string') throw garbled('a line has no type')
  return value as unknown as ToRunner
}

function garbled(what: string, cause?: unknown): TwonodeError {
  // Never the line itself: a plan's secrets travel on it.
  return new TwonodeError('E_BUNDLE', `the controller speaks another protocol: ${what}`, { cause })
}

/** Lines out. A controller that does not read never blocks the run, and does not fill the memory. */
export class WireWriter {
  readonly #output: Writable
  readonly #onOverflow: () => void
  #isGone = false

  constructor(output: Writable, onOverflow: () => void) {
    this.#output = output
    this.#onOverflow = onOverflow
    output.on('error', () => {
      this.#isGone = true
    })
  }

  line(text: string): void {
    if (this.#isGone) return
    this.#output.write(`${text}\n`)
    if (this.#output.writableLength <= MOST_WAITING_BYTES) return
    this.#isGone = true
    this.#onOverflow()
  }

  /** Waits for what is on its way, but not for ever. */
  async end(timeoutMs: number): Promise<void> {
    if (this.#isGone) return
    const over = AbortSignal.timeout(timeoutMs)
    try {
      const finished = once(this.#output, 'finish', { signal: over })
      this.#output.end()
      await finished
    } catch {
      // Nobody reads any more, which is no reason to stay.
    }
  }
}
