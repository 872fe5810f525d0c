import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cacheDirectory } from '../../src/remote/cache_directory.ts'
import { createRuntimeCache } from '../../src/remote/runtime.ts'

/** Stands for bin/node: what matters is that it arrives unchanged. */
const PROGRAM = 'the node program\n'.repeat(10_000)

let directory: string
let archive: string
let calls: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'twonode-runtime-'))
  mkdirSync(join(directory, 'package', 'bin'), { recursive: true })
  writeFileSync(join(directory, 'package', 'README.md'), 'beside it\n')
  writeFileSync(join(directory, 'package', 'bin', 'node'), PROGRAM)
  archive = join(directory, 'archive.tgz')
  execFileSync('tar', ['czf', archive, '-C', directory, 'package'])
  calls = join(directory, 'calls')
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  // An npm that packs from a file: `npm pack SPEC --json --pack-destination DIR`.
  writeFileSync(
    join(bin, 'npm'),
    `#!/bin/sh\necho "$2" >>${calls}\ncp ${archive} "$5/it.tgz" && echo '[{"filename":"it.tgz"}]'\n`,
    { mode: 0o755 },
  )
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`)
})

afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true, force: true })
})

function digest(algorithm: string, data: Buffer | string, encoding: 'hex' | 'base64') {
  return createHash(algorithm).update(data).digest(encoding)
}

function pins(over: { integrity?: string; sha256?: string } = {}) {
  const pin = {
    package: 'a-runtime',
    integrity: `sha512-${digest('sha512', readFileSync(archive), 'base64')}`,
    sha256: digest('sha256', PROGRAM, 'hex'),
    ...over,
  }
  return { x86_64: pin, aarch64: pin }
}

const quiet = () => undefined

test('the runtime is fetched once, kept gzipped, and served from the cache afterwards', async () => {
  const cache = join(directory, 'once')
  const options = { directory: cache, pinned: pins(), onProgress: quiet }
  const provide = createRuntimeCache(options)
  const [first, second] = await Promise.all([provide('x86_64'), provide('x86_64')])
  expect(first).toEqual(second)
  expect(gunzipSync(readFileSync(first.path)).toString()).toBe(PROGRAM)
  await createRuntimeCache(options)('x86_64')
  expect(readFileSync(calls, 'utf8')).toBe('a-runtime@24.21.0\n')
  expect(readdirSync(join(cache, 'runtime'))).toEqual(['a-runtime-24.21.0.gz'])
})

test.each([
  ['package', { integrity: 'sha512-AAAA' }],
  ['program', { sha256: '0'.repeat(64) }],
])('another %s than the pinned one is refused and not kept', async (what, over) => {
  const cache = join(directory, `refused-${what}`)
  const provide = createRuntimeCache({ directory: cache, pinned: pins(over), onProgress: quiet })
  await expect(provide('x86_64')).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
  expect(readdirSync(join(cache, 'runtime'))).toEqual([])
})

test('the cache is where the user wants it', () => {
  expect(cacheDirectory({ TWONODE_CACHE: '/somewhere' })).toBe('/somewhere')
  expect(cacheDirectory({ XDG_CACHE_HOME: '/caches' })).toBe('/caches/twonode')
})
