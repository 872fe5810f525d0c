import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Smaller files are hashed each time: that costs less than remembering. @unit bytes */
const REMEMBER_FROM_BYTES = 1024 * 1024

/** A file changed this recently may change again without its times showing it. @unit milliseconds */
const SETTLED_AFTER_MS = 2_000

const MOST_REMEMBERED = 256

/** sha256 of big files, by all that the file system says of them. Losing it costs one hashing. */
export class DigestMemo {
  readonly #path: string
  #known: Map<string, string> | undefined

  /** `path`: where they are remembered between runs. */
  constructor(path: string) {
    this.#path = path
  }

  /** The digest of a file, and its size; `hash` is asked when nobody knows it. */
  of(path: string, hash: (path: string) => string): { size: number; sha256: string } {
    const before = identityOf(path)
    const { size } = before
    if (size < REMEMBER_FROM_BYTES) return { size, sha256: hash(path) }
    const known = this.#all().get(before.key)
    if (known !== undefined) return { size, sha256: known }
    const sha256 = hash(path)
    const after = identityOf(path)
    if (after.key === before.key && Date.now() - after.changedAtMs > SETTLED_AFTER_MS) {
      this.#all().set(after.key, sha256)
      this.#save()
    }
    return { size, sha256 }
  }

  #all(): Map<string, string> {
    this.#known ??= load(this.#path)
    return this.#known
  }

  #save(): void {
    // A home that can't be written to is no reason not to converge.
    const beside = `${this.#path}.${process.pid}`
    try {
      mkdirSync(dirname(this.#path), { recursive: true })
    } catch {
      return
    }
    try {
      const newest = [...this.#all()].slice(-MOST_REMEMBERED)
      writeFileSync(beside, JSON.stringify(newest), { mode: 0o600 })
      renameSync(beside, this.#path)
    } catch {
      rmSync(beside, { force: true })
    }
  }
}

function identityOf(path: string): { key: string; size: number; changedAtMs: number } {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true })
  const key = [dev, ino, size, mtimeNs, ctimeNs].join()
  return { key, size: Number(size), changedAtMs: Number(ctimeMs) }
}

function load(path: string): Map<string, string> {
  try {
    const entries: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return new Map(Array.isArray(entries) ? entries.filter(isEntry) : [])
  } catch {
    // Missing or torn: everything is hashed once more.
    return new Map()
  }
}

function isEntry(entry: unknown): entry is [string, string] {
  return (
    Array.isArray(entry) &&
    entry.length === 2 &&
    typeof entry[0] === 'string' &&
    /^[0-9a-f]{64}$/.test(String(entry[1]))
  )
}
