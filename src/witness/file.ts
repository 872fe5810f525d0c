import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../core/errors.ts'
import { type Claim, CLAIM_BYTES, parseClaim, serialiseClaim } from '../pair/claim.ts'
import type { Witness, WitnessRead, WitnessSilent, WitnessSwap } from '../pair/witness.ts'
import { syncFolder } from './durable.ts'

/** Without it a folder is only where a share is not mounted. */
const MARKER = '.twonode-witness'

const MARKER_TEXT = '{"format":1,"what":"claims of twonode sites"}\n'

/**
 * Old claims are kept: a client whose cache is behind must find the number taken that it would write.
 * A share's cache is behind by a minute at most, and a claim changes a few times in one.
 */
const KEPT = 64

export interface FilePlace {
  readonly directory: string
  readonly site: string
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** Makes a folder one that claims are kept in. */
export async function initFileWitness(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeSynced(join(directory, MARKER), MARKER_TEXT, 'w')
  await syncFolder(directory)
}

/**
 * Numbered claims on a share; the highest counts. A swap makes the next number with link(2), which one of
 * two wins, on NFS too; its answer may be lost there, and then the link count tells.
 * @source open(2), on O_EXCL: "use link(2) … even if link returns an error, if the link count is 2, it succeeded"
 */
export class FileWitness implements Witness {
  readonly #place: FilePlace
  readonly #name: RegExp
  /** A share that hangs takes a thread of this process for each call: it gets one. */
  #running: Promise<unknown> | null = null

  constructor(place: FilePlace) {
    this.#place = place
    this.#name = new RegExp(`^${place.site.replaceAll('.', String.raw`\.`)}\\.(\\d+)\\.json$`)
  }

  nonce(): string {
    return randomUUID()
  }

  async read(): Promise<WitnessRead> {
    return await this.#bounded(async (): Promise<WitnessRead> => {
      const number = await this.#highest()
      if (number === 0) return { kind: 'absent' }
      // Whoever reads his own nonce has won: the name must outlive the share's power.
      await syncFolder(this.#place.directory)
      const text = await readClaim(this.#path(number))
      return { kind: 'claim', claim: parseClaim(text, this.#place.site), version: String(number) }
    })
  }

  async swap(next: Claim, over: string | null): Promise<WitnessSwap> {
    return await this.#bounded(async (): Promise<WitnessSwap> => {
      const highest = await this.#highest()
      const number = over === null ? 0 : Number(over)
      if (highest !== number) return { kind: 'lost' }
      const isWon = await this.#add(number + 1, serialiseClaim(next))
      if (isWon) await this.#prune(number + 1)
      return { kind: isWon ? 'written' : 'lost' }
    })
  }

  async #highest(): Promise<number> {
    const { directory } = this.#place
    await stat(join(directory, MARKER)).catch((error: unknown) => {
      const why = messageOf(error)
      throw new Error(`no marker: is the share mounted, and made by twonode witness init? (${why})`)
    })
    const numbers = (await readdir(directory)).map((name) =>
      Number(this.#name.exec(name)?.[1] ?? 0),
    )
    let highest = Math.max(0, ...numbers)
    // The list may be cached; a name that is asked for is not.
    while (await isThere(this.#path(highest + 1))) highest += 1
    return highest
  }

  /** False: another has made this number. */
  async #add(number: number, text: string): Promise<boolean> {
    const { directory, site } = this.#place
    const own = join(directory, `.${site}.${randomUUID()}.next`)
    await writeSynced(own, text, 'wx')
    try {
      await link(own, this.#path(number)).catch(async (error: unknown) => {
        if ((await stat(own)).nlink === 2) return
        if (isCode(error, 'EEXIST')) throw LOST
        throw error
      })
      await syncFolder(directory)
      return true
    } catch (error) {
      if (error === LOST) return false
      throw error
    } finally {
      await unlink(own).catch(() => {})
    }
  }

  /** What can't be removed does no harm. */
  async #prune(newest: number): Promise<void> {
    const names = await readdir(this.#place.directory).catch(() => [])
    const old = names.filter((name) => {
      const number = Number(this.#name.exec(name)?.[1] ?? Infinity)
      return number <= newest - KEPT
    })
    for (const name of old) await unlink(join(this.#place.directory, name)).catch(() => {})
  }

  #path(number: number): string {
    return join(this.#place.directory, `${this.#place.site}.${number}.json`)
  }

  async #bounded<T>(act: () => Promise<T>): Promise<T | WitnessSilent> {
    const { directory, timeoutMs } = this.#place
    const silent = (why: string): WitnessSilent => ({ kind: 'silent', why: `${directory}: ${why}` })
    if (this.#running !== null) return silent('the call before this one hangs')
    const running = act().catch((error: unknown) => silent(messageOf(error)))
    this.#running = running
    void running.finally(() => (this.#running = null))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<WitnessSilent>((resolve) => {
      timer = setTimeout(() => resolve(silent(`no answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([running, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

const LOST = new Error('another has made this claim')

/** No more of a file than a claim can have: it is somebody else's share. */
async function readClaim(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(CLAIM_BYTES + 1)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) return bytes.toString('utf8', 0, length)
      length += bytesRead
    }
    throw new Error('what it keeps is no claim')
  } finally {
    await file.close()
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false
    throw error
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function writeSynced(path: string, text: string, flags: 'w' | 'wx'): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
