import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type DecisionJournal,
  openDecisionJournal,
  readDecisions,
} from '../../src/agent/journal.ts'
import type { Note } from '../../src/agent/ports.ts'
import { redactor, Secret } from '../../src/core/secret.ts'
import { type ManualClock, manualClock } from './support/manual_clock.ts'

let root: string
let folder: string
let clock: ManualClock

beforeEach(async () => {
  root = await mkdtemp('/tmp/twonode-decisions-')
  folder = join(root, 'journal')
  clock = manualClock()
})
afterEach(async () => await rm(root, { recursive: true, force: true }))

const opened = (): DecisionJournal =>
  openDecisionJournal({
    folder,
    host: 'h1',
    bootId: 'boot-1',
    clock,
    redact: redactor([new Secret('sesame-123456', 'test')]),
  })

const decision = (rule: string, facts: Record<string, unknown> = {}): Note => ({
  kind: 'decision',
  rule,
  goal: 'stay',
  why: 'nothing to do',
  term: 2,
  facts,
})

const noted = async () => await readDecisions(folder, 1_000)

test('a line says what, where and when: format, host, boot, uptime and wall time', async () => {
  const journal = opened()
  journal.note({ kind: 'meta', term: 3, branch: 3, mode: 'alone', leader: 'h2' })
  await journal.flush()
  expect(await readDecisions(folder, 10)).toEqual([
    {
      format: 1,
      host: 'h1',
      boot: 'boot-1',
      upMs: clock.now(),
      at: clock.wallTime(),
      kind: 'meta',
      term: 3,
      branch: 3,
      mode: 'alone',
      leader: 'h2',
    },
  ])
  const [name = ''] = await readdir(folder)
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
})

test('a decision that repeats is one line, and another with how often, when it ends', async () => {
  const journal = opened()
  for (let round = 0; round < 5; round += 1) journal.note(decision('Z9', { peer: 'answers' }))
  journal.note(decision('Z9', { peer: 'silent' }))
  journal.note(decision('P1', { peer: 'gone' }))
  await journal.flush()
  expect((await noted()).map((line) => [line['rule'], line['repeated']])).toEqual([
    ['Z9', undefined],
    ['Z9', 4],
    ['Z9', undefined],
    ['P1', undefined],
  ])
})

test('a quiet pair writes a line a minute', async () => {
  const journal = opened()
  for (let second = 0; second < 600; second += 1) {
    journal.note(decision('Z9'))
    clock.advance(1_000)
  }
  await journal.flush()
  const lines = await noted()
  expect(lines.length).toBeGreaterThanOrEqual(10)
  expect(lines.length).toBeLessThanOrEqual(12)
})

test('a known secret is on no line, wherever it stands', async () => {
  const journal = opened()
  journal.note({ kind: 'fault', what: 'script', message: 'it said sesame-123456' })
  journal.note(decision('Z9', { deep: [{ words: 'sesame-123456' }] }))
  await journal.flush()
  const [name = ''] = await readdir(folder)
  const text = await readFile(join(folder, name), 'utf8')
  expect(text).toContain('********')
  expect(text).not.toContain('sesame')
})

test('a line without bound is cut, and says so', async () => {
  const journal = opened()
  journal.note({ kind: 'fault', what: 'x', message: 'y'.repeat(1_000_000) })
  await journal.flush()
  const [line] = await noted()
  expect([line?.kind, line?.['cut']]).toEqual(['fault', expect.any(Number)])
})

test('files are few and bounded; the oldest go', { timeout: 60_000 }, async () => {
  const journal = opened()
  const message = 'm'.repeat(15_000)
  for (let megabyte = 0; megabyte < 12; megabyte += 1) {
    for (let line = 0; line < 75; line += 1)
      journal.note({ kind: 'fault', what: `${megabyte} ${line}`, message })
    await journal.flush()
  }
  const names = await readdir(folder)
  expect(names.length).toBeLessThanOrEqual(8)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  expect(Math.max(...sizes)).toBeLessThan(3 * 1024 * 1024)
  expect((await readDecisions(folder, 1)).at(-1)?.['what']).toBe('11 74')
})

test('what a power cut tore is left out, and the next line stands by itself', async () => {
  const first = opened()
  first.note(decision('A'))
  await first.flush()
  const [name = ''] = await readdir(folder)
  await appendFile(join(folder, name), '{"format":1,"kind":"deci')
  const second = opened()
  second.note(decision('B'))
  await second.flush()
  expect((await noted()).map((line) => line['rule'])).toEqual(['A', 'B'])
})

test('a journal that can not be written stops nobody, and says later what is missing', async () => {
  await writeFile(folder, 'no folder')
  const journal = opened()
  for (const rule of ['A', 'B', 'C']) {
    journal.note(decision(rule))
    await journal.flush()
  }
  await rm(folder)
  journal.note(decision('D'))
  await journal.flush()
  const lines = await noted()
  expect(lines.map(({ kind }) => kind)).toEqual(['decision', 'dropped'])
  expect(lines[1]).toMatchObject({ lines: 3 })
})

test("the runs' journal in the same folder is not touched, nor taken for one", async () => {
  const journal = opened()
  journal.note(decision('A'))
  await journal.flush()
  await writeFile(join(folder, '00000001.run.ndjson'), '{"kind":"run","format":1,"upMs":1}\n')
  expect(await noted()).toHaveLength(1)
})
