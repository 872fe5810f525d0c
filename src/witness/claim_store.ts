import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isHostName } from '../core/site.ts'
import { syncFolder } from './durable.ts'
import { lockFolder } from './folder_lock.ts'

/** More objects than a thousand sites have are none of ours. */
const MOST_OBJECTS = 2_000

/** What a conditional write came to. */
export type Put =
  | { readonly kind: 'written'; readonly isNew: boolean; readonly etag: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'full' }

interface Kept {
  readonly text: string
  readonly etag: string
}

/** What must hold for a write. */
export type Condition = { readonly none: true } | { readonly tag: string }

/**
 * The objects of a witness: one small file each. A write is on the disk, with its name, before it is
 * answered or can be read; of two at once one comes first, for they are done one by one.
 */
export class ClaimStore {
  readonly #directory: string
  #turn: Promise<unknown> = Promise.resolve()
  #writes = 0
  #lock: FileHandle | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** @throws Error in words if another process keeps its claims there */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    this.#lock ??= await lockFolder(this.#directory)
    // What the process before this one renamed, and was ended before it was on the disk.
    await syncFolder(this.#directory)
  }

  async close(): Promise<void> {
    await this.#lock?.close()
    this.#lock = undefined
  }

  /**
   * Undefined: there is none of this name. What is being written is waited for: whoever reads his own
   * nonce has won, and a witness that loses its power must not take that back (A4).
   */
  async get(name: string): Promise<Kept | undefined> {
    await this.#turn
    return await this.#read(name)
  }

  async #read(name: string): Promise<Kept | undefined> {
    try {
      const text = await readFile(this.#path(name), 'utf8')
      return { text, etag: tagOf(text) }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  async put(name: string, text: string, condition: Condition): Promise<Put> {
    const mine = this.#turn.then(async () => await this.#put(name, text, condition))
    this.#turn = mine.catch(() => {})
    return await mine
  }

  async #put(name: string, text: string, condition: Condition): Promise<Put> {
    const before = await this.#read(name)
    const holds =
      'none' in condition
        ? before === undefined
        : before !== undefined && before.etag === condition.tag
    if (!holds) return { kind: 'refused' }
    if (before === undefined && (await readdir(this.#directory)).length >= MOST_OBJECTS)
      return { kind: 'full' }
    await this.#write(this.#path(name), text)
    return { kind: 'written', isNew: before === undefined, etag: tagOf(text) }
  }

  async #write(path: string, text: string): Promise<void> {
    const next = join(this.#directory, `.next-${process.pid}-${++this.#writes}`)
    const file = await open(next, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, path)
    await syncFolder(this.#directory)
  }

  #path(name: string): string {
    if (!isObjectName(name)) throw new Error(`no name of a site: ${name}`)
    return join(this.#directory, `${name}.json`)
  }
}

/** As sites are called: it can be no path. */
export function isObjectName(name: string): boolean {
  return isHostName(siteOf(name))
}

/** The site of an object: a trial is that of the claim beside it. */
export function siteOf(name: string): string {
  return name.replace(/\.trial$/, '')
}

/** By content: each claim has its own nonce, so that no two are the same. */
function tagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('hex')}"`
}
