import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readText } from '../host/files.ts'
import { stageText, syncDirectory } from '../host/staged_file.ts'
import { type HostMeta, parseHostMeta } from '../pair/host_meta.ts'

/** Versions of hostMeta that are kept, the present one included. */
export const VERSIONS_KEPT = 10

const FOLDER = 'history'

const NAME = /^host-meta\.(\d{8})\.yaml$/

export interface Version {
  readonly meta: HostMeta
  readonly text: string
}

/**
 * The last versions of hostMeta, a file each. A version is here before it is in its place: whatever
 * destroys that one file, the newest version here is what it said.
 */
export class MetaHistory {
  readonly #folder: string

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, FOLDER)
  }

  /** Those that can be read, newest first. */
  async versions(): Promise<readonly Version[]> {
    const read = (await this.#names()).map(async (name) => await this.#read(name))
    return (await Promise.all(read)).filter((version) => version !== undefined)
  }

  /**
   * Durable when it resolves. A text that is the newest already is not added again. Gives what takes it
   * back: for when it does not come to its place.
   */
  async add(text: string): Promise<() => Promise<void>> {
    const names = await this.#names()
    const [newest] = names
    if (newest !== undefined && (await this.#read(newest))?.text === text) return async () => {}
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    if (newest === undefined) await syncDirectory(join(this.#folder, '..'))
    const next = `host-meta.${String(numberOf(newest) + 1).padStart(8, '0')}.yaml`
    await writeDurably(join(this.#folder, next), text)
    for (const old of names.slice(VERSIONS_KEPT - 1))
      await rm(join(this.#folder, old), { force: true })
    return async () => await rm(join(this.#folder, next), { force: true })
  }

  /** Newest first: counted, not timed. */
  async #names(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.#folder)
      return names.filter((name) => NAME.test(name)).toSorted((a, b) => numberOf(b) - numberOf(a))
    } catch {
      return []
    }
  }

  async #read(name: string): Promise<Version | undefined> {
    try {
      const text = (await readText(join(this.#folder, name))) ?? ''
      return { meta: parseHostMeta(text), text }
    } catch {
      // A damaged version is none: there are others.
      return undefined
    }
  }
}

function numberOf(name: string | undefined): number {
  return Number(NAME.exec(name ?? '')?.[1] ?? 0)
}

/** Replaces a small file of the agent's: a power cut leaves the old content or the new, whole. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const owned = { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const staged = await stageText(path, text, owned, undefined)
  try {
    await staged.commit()
  } catch (error) {
    await staged.discard()
    throw error
  }
}
