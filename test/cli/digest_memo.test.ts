import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DigestMemo } from '../../src/cli/digest_memo.ts'

const BIG = Buffer.alloc(1024 * 1024, 'x')
const SHA256 = 'ab'.repeat(32)

let folder = ''
let memo = ''
let big = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-digests-'))
  memo = join(folder, 'cache', 'digests.json')
  big = join(folder, 'big')
  writeFileSync(big, BIG)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A new process, hours after the file was written. */
function ask(path: string, hash = () => SHA256) {
  const soon = new Date(Date.now() + 3_600_000)
  const { now } = Date
  Date.now = () => soon.getTime()
  try {
    return new DigestMemo(memo).of(path, hash)
  } finally {
    Date.now = now
  }
}

test('a big file is hashed once, and again when it has changed', () => {
  expect(ask(big)).toEqual({ size: BIG.length, sha256: SHA256 })
  expect(ask(big, () => 'not asked').sha256).toBe(SHA256)
  utimesSync(big, 1, 1)
  expect(ask(big, () => 'cd'.repeat(32)).sha256).toBe('cd'.repeat(32))
})

test('a small file, and one that was written a moment ago, are not remembered', () => {
  const small = join(folder, 'small')
  writeFileSync(small, 'x')
  ask(small)
  new DigestMemo(memo).of(big, () => SHA256)
  expect(existsSync(memo)).toBe(false)
})

test('a file that changes while it is hashed is not remembered', () => {
  ask(big, () => {
    writeFileSync(big, Buffer.alloc(BIG.length + 1))
    return SHA256
  })
  expect(existsSync(memo)).toBe(false)
})

test('what can not be read, or is torn, is hashed; a cache that can not be written to is no error', () => {
  ask(big)
  writeFileSync(memo, readFileSync(memo, 'utf8').slice(0, -10))
  expect(ask(big, () => 'ef'.repeat(32)).sha256).toBe('ef'.repeat(32))
  memo = join(big, 'cache', 'digests.json')
  expect(ask(big).sha256).toBe(SHA256)
})
