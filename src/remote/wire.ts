import { createReadStream } from 'node:fs'
import type { ClientChannel } from 'ssh2'
import { messageOf } from '../core/errors.ts'
import { LineCutter, Tail } from './framing.ts'

/** What is kept of a host's standard error. @unit bytes */
const STDERR_BYTES = 64 * 1024

/** Lines that may wait to be taken: a log-in script that chatters for ever is cut off. */
const MOST_WAITING_LINES = 1_000

/** Piece of a file that is read at once. @unit bytes */
const CHUNK_BYTES = 256 * 1024

export interface WireEnd {
  readonly code: number | null
  readonly signal: string | null
  /** Why we closed it ourselves. */
  readonly fault?: WireFault
}

export interface WireFault {
  readonly kind: 'E_FILE' | 'E_BUG'
  readonly reason: string
}

/**
 * The channel of one remote command: lines in, an ordered queue of bytes out. Before
 * {@link Wire.listen} lines are taken one by one, afterwards they are pushed.
 */
export class Wire {
  /** Settles when the channel is closed, for whatever reason. */
  readonly ended: Promise<WireEnd>
  /** When bytes last passed in either direction. @unit milliseconds since the epoch */
  lastMovedAt = Date.now()
  /** When the host last said anything. @unit milliseconds since the epoch */
  lastHeardAt = Date.now()
  onStderr: (soFar: string) => void = () => undefined

  readonly #channel: ClientChannel
  readonly #stderr = new Tail(STDERR_BYTES)
  #closed = false
  #fault: WireFault | undefined
  #queue: Promise<void> = Promise.resolve()
  #lines: string[] = []
  #taker: ((line: string | undefined) => void) | undefined
  #listener: ((line: string) => void) | undefined

  constructor(channel: ClientChannel) {
    this.#channel = channel
    this.ended = this.#watchEnd()
    const cutter = new LineCutter((line) => this.#take(line))
    channel.on('data', (chunk: Buffer) => {
      this.#heard()
      try {
        cutter.push(chunk)
      } catch (error) {
        this.destroy({ kind: 'E_BUG', reason: messageOf(error) })
      }
    })
    channel.stderr.on('data', (chunk: Buffer) => {
      this.#heard()
      this.#stderr.push(chunk)
      this.onStderr(this.#stderr.text)
    })
    // A write to a channel that closes meanwhile: `ended` tells.
    channel.on('error', () => undefined)
  }

  /** The end of what the host wrote to standard error. */
  get stderr(): string {
    return this.#stderr.text
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Queues bytes; settles when they are handed over, or when the channel is closed. */
  send(data: string | Buffer): Promise<void> {
    return this.#enqueue(() => this.#write(data))
  }

  /**
   * Queues a line and exactly `size` bytes of a file after it; nothing comes in between.
   * When the file can't be read or is shorter the channel is unusable, and closed: see `fault`.
   */
  sendFile(header: string, path: string, size: number, onBytes?: (sent: number) => void) {
    return this.#enqueue(async () => {
      await this.#write(header)
      let sent = 0
      try {
        if (size > 0)
          for await (const chunk of createReadStream(path, {
            end: size - 1,
            highWaterMark: CHUNK_BYTES,
          })) {
            await this.#write(chunk as Buffer)
            sent += (chunk as Buffer).length
            onBytes?.(sent)
            if (this.#closed) return
          }
        if (sent < size) throw new Error(`${path} became shorter while it was sent`)
      } catch (error) {
        this.destroy({ kind: 'E_FILE', reason: messageOf(error) })
      }
    })
  }

  /** The next line; undefined when the channel is closed, or nothing has moved for `idleMs`. */
  async nextLine(idleMs: number): Promise<string | undefined> {
    const waiting = this.#lines.shift()
    if (waiting !== undefined) return waiting
    if (this.#closed) return undefined
    this.lastMovedAt = Date.now()
    return await new Promise((resolve) => {
      const timer = setInterval(
        () => {
          if (Date.now() - this.lastMovedAt >= idleMs) this.#taker?.(undefined)
        },
        Math.min(idleMs, 1_000),
      )
      this.#taker = (line) => {
        clearInterval(timer)
        this.#taker = undefined
        resolve(line)
      }
    })
  }

  /** From now on every line goes to `listener`, those that wait first. */
  listen(listener: (line: string) => void): void {
    this.#listener = listener
    for (const line of this.#lines.splice(0)) listener(line)
  }

  /** End of input for the host's program. */
  endInput(): void {
    this.#channel.end()
  }

  destroy(fault?: WireFault): void {
    this.#fault ??= fault
    this.#channel.destroy()
    this.#channel.emit('close')
  }

  #heard(): void {
    this.lastHeardAt = Date.now()
    this.lastMovedAt = this.lastHeardAt
  }

  #take(line: string): void {
    if (this.#listener !== undefined) return this.#listener(line)
    if (this.#taker !== undefined) return this.#taker(line)
    if (this.#lines.length >= MOST_WAITING_LINES)
      return this.destroy({ kind: 'E_BUG', reason: 'the host talks without end' })
    this.#lines.push(line)
  }

  #enqueue(act: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(act)
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #write(data: string | Buffer): Promise<void> {
    if (this.#closed || !this.#channel.writable) return
    if (!this.#channel.write(data)) {
      const drained = new Promise<void>((resolve) => this.#channel.once('drain', resolve))
      await Promise.race([drained, this.ended])
    }
    this.lastMovedAt = Date.now()
  }

  #watchEnd(): Promise<WireEnd> {
    return new Promise((resolve) => {
      let end: WireEnd = { code: null, signal: null }
      this.#channel.on('exit', (code: number | null, signal?: string) => {
        end = { code, signal: signal ?? null }
      })
      this.#channel.once('close', () => {
        this.#closed = true
        resolve(this.#fault === undefined ? end : { ...end, fault: this.#fault })
        this.#taker?.(undefined)
      })
    })
  }
}
