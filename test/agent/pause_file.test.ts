import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PauseFile } from '../../src/agent/pause_file.ts'
import { readText } from '../../src/host/files.ts'
import type { Moment } from '../../src/pair/pause.ts'

const HOUR_MS = 3_600_000

let directory: string
let path: string
let now: Moment
let endings: number

beforeEach(async () => {
  directory = await mkdtemp('/tmp/twonode-pause-')
  path = join(directory, '.two-node-pause')
  now = { boot: 'one', upMs: 10_000, wallMs: Date.parse('2026-11-22T12:00:00Z') }
  endings = 0
})

afterEach(async () => await rm(directory, { recursive: true, force: true }))

/** As an agent that has just started has it. */
function opened(read = readText): PauseFile {
  return new PauseFile({ path, moment: () => now, ended: () => (endings += 1), read })
}

/** Time passes, by the clock of the boot and by the one on the wall. */
function pass(ms: number): void {
  now = { ...now, upMs: now.upMs + ms, wallMs: now.wallMs + ms }
}

test('a pause survives a restart of the agent, and ends by itself once', async () => {
  await opened().begin(HOUR_MS)
  pass(HOUR_MS - 1_000)
  const file = opened()
  expect(await file.left()).toBe(1_000)
  expect(endings).toBe(0)
  pass(1_000)
  expect(await file.left()).toBeUndefined()
  expect(await file.left()).toBeUndefined()
  expect([existsSync(path), endings]).toEqual([false, 1])
})

test('a pause survives a boot by the clock on the wall, and from then on no clock that is set counts', async () => {
  await opened().begin(HOUR_MS)
  now = { boot: 'two', upMs: 5_000, wallMs: now.wallMs + HOUR_MS / 2 }
  const file = opened()
  expect(await file.left()).toBe(HOUR_MS / 2)
  now = { ...now, wallMs: now.wallMs - 24 * HOUR_MS }
  expect(await file.left()).toBe(HOUR_MS / 2)
  now = { ...now, upMs: now.upMs + HOUR_MS / 2 }
  expect(await file.left()).toBeUndefined()
})

test.each([
  ['an empty file', async () => await writeFile(path, '')],
  ['a file of rubbish', async () => await writeFile(path, 'until I say so')],
  ['a directory', async () => await mkdir(path)],
])('%s that a person made is a pause until it is removed', async (_, make) => {
  await make()
  const file = opened()
  expect(await file.left()).toBeNull()
  pass(1_000 * HOUR_MS)
  expect(await file.left()).toBeNull()
  await file.remove()
  expect(await file.left()).toBeUndefined()
  expect(endings).toBe(0)
})

test('a pause whose file can not be read for a moment holds, and still ends by itself', async () => {
  await opened().begin(HOUR_MS)
  let isBusy = true
  const file = opened(async (from) => {
    if (isBusy) throw new Error('EMFILE: too many open files')
    return await readText(from)
  })
  expect(await file.left()).toBeNull()
  isBusy = false
  pass(HOUR_MS)
  expect(await file.left()).toBeUndefined()
})

test('asked again, a pause begins anew, also one that had no end', async () => {
  await writeFile(path, '')
  const file = opened()
  expect(await file.left()).toBeNull()
  await file.begin(HOUR_MS)
  pass(HOUR_MS / 2)
  await file.begin(HOUR_MS)
  expect(await file.left()).toBe(HOUR_MS)
})

test('a pause that is begun anew while the old one is found to be over is not taken for that one', async () => {
  await opened().begin(HOUR_MS)
  pass(HOUR_MS)
  const file = opened(async (from) => {
    const text = await readText(from)
    await file.begin(HOUR_MS)
    return text
  })
  await file.left()
  expect(await opened().left()).toBe(HOUR_MS)
})

test('one that is ended while it is read after a boot is not written anew', async () => {
  await opened().begin(HOUR_MS)
  now = { ...now, boot: 'two', upMs: 5_000 }
  const file = opened(async (from) => {
    const text = await readText(from)
    await file.remove()
    return text
  })
  await file.left()
  expect(await opened().left()).toBeUndefined()
})
