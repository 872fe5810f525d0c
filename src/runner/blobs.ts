import type { Readable } from 'node:stream'
import { TwonodeError } from '../core/errors.ts'
import type { FromRunner } from '../core/protocol.ts'

/** Artifacts that the controller sends on request, one at a time. */
export class Blobs {
  readonly #send: (message: FromRunner) => void
  readonly #waiting = new Map<string, Waiting[]>()
  #closed: { readonly reason: unknown } | undefined

  constructor(send: (message: FromRunner) => void) {
    this.#send = send
  }

  /** The artifact's bytes, as they come. */
  async get(sha256: string): Promise<Readable> {
    if (this.#closed !== undefined) throw this.#closed.reason
    return await new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(sha256) ?? []
      this.#waiting.set(sha256, [...waiting, { resolve, reject }])
      this.#send({ type: 'need-blob', sha256 })
    })
  }

  /** Bytes that nobody waits for any more are thrown away. */
  come(sha256: string, bytes: Readable): void {
    const next = this.#next(sha256)
    if (next === undefined) bytes.destroy()
    else next.resolve(bytes)
  }

  refuse(sha256: string, reason: string): void {
    this.#next(sha256)?.reject(
      new TwonodeError('E_DOWNLOAD', `the controller can't send it: ${reason}`),
    )
  }

  /** None will come any more. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    const waiting = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    for (const { reject } of waiting) reject(reason)
  }

  #next(sha256: string): Waiting | undefined {
    const [first, ...rest] = this.#waiting.get(sha256) ?? []
    this.#waiting.set(sha256, rest)
    return first
  }
}

interface Waiting {
  readonly resolve: (bytes: Readable) => void
  readonly reject: (reason: unknown) => void
}
