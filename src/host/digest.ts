import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { versionOf } from './file_version.ts'
import { chunksOf, withFile } from './files.ts'

/** Smaller files are hashed each time: that costs less than remembering. @unit bytes */
const REMEMBER_FROM_BYTES = 8 * 1024 * 1024

/** A file changed this recently may change again without its times showing it. @unit milliseconds */
const SETTLED_AFTER_MS = 2_000

const MOST_REMEMBERED = 256
const CHUNK_BYTES = 1024 * 1024

/** Hashes files, and remembers big ones by all that the file system says of them. */
export interface Digests {
  readonly of: (path: string) => Promise<string | undefined>
  /** Writes what was learnt, if anything. A lost file of digests costs one hashing, no more. */
  readonly save: () => Promise<void>
}

export interface DigestOptions {
  /** Where digests are remembered between runs; undefined: nowhere. */
  readonly memoPath: string | undefined
  /** Hash everything for real, whatever is remembered: `verify` does. */
  readonly rehash: boolean
}

/** @unit MB/s: about 900 on the machines of 2026, so a binary of 126 MB costs 0.14 s when forgotten. */
export function createDigests({ memoPath, rehash }: DigestOptions): Digests {
  let memo: Promise<Map<string, string>> | undefined
  let learnt = false
  const remembered = () => (memo ??= load(memoPath))

  return {
    of: async (path) =>
      await withFile(path, async (file) => {
        const before = await file.stat({ bigint: true })
        const big = before.size >= BigInt(REMEMBER_FROM_BYTES)
        const known = big && !rehash ? (await remembered()).get(versionOf(before)) : undefined
        if (known !== undefined) return known
        const hash = createHash('sha256')
        for await (const chunk of chunksOf(file, CHUNK_BYTES)) hash.update(chunk)
        const digest = hash.digest('hex')
        const after = await file.stat({ bigint: true })
        if (big && versionOf(after) === versionOf(before) && isSettled(after)) {
          const all = await remembered()
          all.set(versionOf(after), digest)
          learnt = true
        }
        return digest
      }),

    async save() {
      if (!learnt || memoPath === undefined) return
      learnt = false
      await store(memoPath, await remembered())
    },
  }
}

function isSettled({ ctimeMs }: BigIntStats): boolean {
  return Date.now() - Number(ctimeMs) > SETTLED_AFTER_MS
}

async function load(path: string | undefined): Promise<Map<string, string>> {
  if (path === undefined) return new Map()
  try {
    const entries: unknown = JSON.parse(await readFile(path, 'utf8'))
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

async function store(path: string, memo: ReadonlyMap<string, string>): Promise<void> {
  const beside = `${path}.${process.pid}`
  try {
    await writeFile(beside, JSON.stringify([...memo].slice(-MOST_REMEMBERED)), { mode: 0o600 })
    await rename(beside, path)
  } catch {
    await rm(beside, { force: true })
  }
}
