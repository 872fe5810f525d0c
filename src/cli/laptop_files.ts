import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DigestMemo } from './digest_memo.ts'
import type { LaptopFiles } from './world.ts'

/** @unit bytes read at a time while hashing */
const CHUNK_BYTES = 1 << 20

/**
 * The real file system; digests of big files are remembered in the cache folder. Synchronous: a
 * compile reads a dozen small files, and is pure beside.
 */
export function createLaptopFiles(cache: string): LaptopFiles {
  const digests = new DigestMemo(join(cache, 'digests.json'))
  return {
    read: (path) => unlessMissing(() => readFileSync(path, 'utf8')),
    list: (path) => unlessMissing(() => readdirSync(path).toSorted()),
    digest: (path) => unlessMissing(() => digests.of(path, hashFile)),
    write(path, content, { replace }) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content, { flag: replace ? 'w' : 'wx' })
    },
  }
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
