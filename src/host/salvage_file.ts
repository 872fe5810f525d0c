import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { Range, SalvageFile } from '../core/salvage.ts'

/** Lines wait for one write of this size. @unit bytes */
const CHUNK_BYTES = 256 * 1024

/** A new file of lines, which is on the disk when it is closed. */
export class SalvageLines {
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  #waiting: Buffer[] = []
  #waitingBytes = 0
  bytes = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** For root only: values of secrets are in it. */
  static async create(path: string): Promise<SalvageLines> {
    return new SalvageLines(await open(path, 'wx', 0o600))
  }

  /** Where the line will be. */
  async add(value: object): Promise<Range> {
    const line = Buffer.from(`${JSON.stringify(value)}\n`)
    const range = { at: this.bytes, length: line.length }
    this.#hash.update(line)
    this.bytes += line.length
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    if (this.#waitingBytes >= CHUNK_BYTES) await this.#write()
    return range
  }

  async close(): Promise<SalvageFile> {
    await this.#write()
    await this.#file.sync()
    await this.#file.close()
    return { bytes: this.bytes, sha256: this.#hash.digest('hex') }
  }

  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {})
  }

  async #write(): Promise<void> {
    const chunk = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await this.#file.write(chunk, at)
      at += bytesWritten
    }
  }
}
