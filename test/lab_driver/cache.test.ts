import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cacheEntry, cacheRoot, withLock } from '../../lab/cache.ts'

let directory: string
const before = process.env['TWONODE_CACHE']

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'twonode-cache-'))
  process.env['TWONODE_CACHE'] = directory
})

afterEach(async () => {
  if (before === undefined) delete process.env['TWONODE_CACHE']
  else process.env['TWONODE_CACHE'] = before
  await rm(directory, { recursive: true })
})

it('an entry is built once, however many want it at the same moment', async () => {
  let builds = 0
  const entry = join(directory, 'thing')
  const build = async (path: string): Promise<void> => {
    builds += 1
    await writeFile(join(path, 'file'), 'whole')
  }
  await Promise.all([cacheEntry(entry, build), cacheEntry(entry, build), cacheEntry(entry, build)])
  expect(builds).toBe(1)
  expect(await readFile(join(entry, 'file'), 'utf8')).toBe('whole')
})

it('a build that fails leaves no entry and nothing unfinished', async () => {
  const entry = join(directory, 'thing')
  const failing = cacheEntry(entry, () => Promise.reject(new Error('no network')))
  await expect(failing).rejects.toThrow('no network')
  expect(await readdir(directory)).toEqual(['locks'])
})

it('what a killed builder left is removed by the next one', async () => {
  const entry = join(directory, 'thing')
  await mkdir(`${entry}.unfinished-0123`)
  await cacheEntry(entry, () => Promise.resolve())
  expect((await readdir(directory)).toSorted()).toEqual(['locks', 'thing'])
})

it('a lock that is held refuses others after the wait, and is free afterwards', async () => {
  await withLock('one', 1, async () => {
    await expect(withLock('one', 0, () => Promise.resolve(1))).rejects.toThrow(/locked/)
    expect(await withLock('two', 0, () => Promise.resolve(2))).toBe(2)
  })
  expect(await withLock('one', 5, () => Promise.resolve(3))).toBe(3)
})

it('a lock dies with the process that holds it, even when that is killed', async () => {
  const script = `import { withLock } from ${JSON.stringify(join(directory, 'cache.mjs'))}
await withLock('one', 1, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000) }))`
  const { build } = await import('esbuild')
  await build({
    entryPoints: ['lab/cache.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(directory, 'cache.mjs'),
    logLevel: 'silent',
  })
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: process.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  holder.kill('SIGKILL')
  expect(await withLock('one', 10, () => Promise.resolve('mine'))).toBe('mine')
  expect(existsSync(join(directory, 'locks', 'one'))).toBe(true)
})

it('the cache is where its symbolic links lead, be it there yet or not', async () => {
  const real = await realpath(directory)
  await mkdir(join(real, 'elsewhere/home'), { recursive: true })
  await symlink(join(real, 'elsewhere/home'), join(real, 'home'))
  process.env['TWONODE_CACHE'] = join(real, 'home/.cache/twonode')
  expect(cacheRoot()).toBe(join(real, 'elsewhere/home/.cache/twonode'))
  await mkdir(join(real, 'elsewhere/home/.cache/twonode'), { recursive: true })
  expect(cacheRoot()).toBe(join(real, 'elsewhere/home/.cache/twonode'))
})
