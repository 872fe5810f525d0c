/** Longer than any line of ours by far; a runner gone mad does not fill the laptop. @unit bytes */
export const LONGEST_LINE_BYTES = 16 * 1024 * 1024

/**
 * Cuts a byte stream into lines. Bytes are joined before they are decoded, so a character that is
 * split between two packets stays whole.
 */
export class LineCutter {
  #parts: Buffer[] = []
  #length = 0
  readonly #onLine: (line: string) => void

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** @throws RangeError for a line above {@link LONGEST_LINE_BYTES} */
  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#parts.push(chunk.subarray(start, end))
      const line = Buffer.concat(this.#parts).toString('utf8')
      this.#parts = []
      this.#length = 0
      start = end + 1
      this.#onLine(line)
    }
    const rest = chunk.subarray(start)
    this.#length += rest.length
    if (this.#length > LONGEST_LINE_BYTES)
      throw new RangeError(`a line is longer than ${LONGEST_LINE_BYTES} bytes`)
    if (rest.length > 0) this.#parts.push(rest)
  }
}

const NEWLINE = 0x0a

/** The end of what a stream said, bounded. */
export class Tail {
  #text = ''
  readonly #limit: number

  constructor(limitBytes: number) {
    this.#limit = limitBytes
  }

  push(chunk: Buffer | string): void {
    this.#text = (this.#text + chunk.toString()).slice(-this.#limit)
  }

  get text(): string {
    return this.#text
  }
}
