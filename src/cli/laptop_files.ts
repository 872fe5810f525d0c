import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { LaptopFiles } from './world.ts'

/** @unit bytes read at a time while hashing */
const CHUNK_BYTES = 1 << 20

interface Remembered {
  readonly identity: string
  readonly sha256: string
}

/** Binaries are hashed once a process, however many hosts and tasks name them. */
const remembered = new Map<string, Remembered>()

/** The real file system. Synchronous: a compile reads a dozen small files, and is pure beside. */
export const laptopFiles: LaptopFiles = {
  read: (path) => unlessMissing(() => readFileSync(path, 'utf8')),
  list: (path) => unlessMissing(() => readdirSync(path).toSorted()),
  digest: (path) => unlessMissing(() => digestOf(path)),
  write(path, content, { replace }) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content, { flag: replace ? 'w' : 'wx' })
  },
}

function digestOf(path: string): { readonly size: number; readonly sha256: string } {
  const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path)
  const identity = [dev, ino, size, mtimeMs, ctimeMs].join(':')
  const known = remembered.get(path)
  if (known?.identity === identity) return { size, sha256: known.sha256 }
  const sha256 = hashFile(path)
  remembered.set(path, { identity, sha256 })
  return { size, sha256 }
}

function hashFile(path: string): string {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const file = openSync(path, 'r')
  try {
    for (;;) {
      const count = readSync(file, chunk)
      if (count === 0) return hash.digest('hex')
      hash.update(chunk.subarray(0, count))
    }
  } finally {
    closeSync(file)
  }
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
