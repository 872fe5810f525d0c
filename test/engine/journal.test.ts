import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Change } from '../../src/core/change.ts'
import { openJournal } from '../../src/engine/journal.ts'
import { journalIn, scratch } from '../support/engine_run.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

const write = (path: string): Change => ({
  kind: 'write',
  path,
  content: 'x',
  mode: 0o644,
  owner: 'root',
  group: 'root',
  before: undefined,
})
const journal = (runId: string) => journalIn(folder.path, runId)
const runFiles = () => readdirSync(folder.path).filter((name) => name.endsWith('.ndjson'))

test('a run with nothing to say leaves nothing', () => {
  const quiet = journal('a')
  expect(quiet.leftBehind()).toEqual({ handlers: [], folders: [] })
  quiet.end(0)
  expect(readdirSync(folder.path)).toEqual([])
})

test('handlers are owed until they are settled, across runs, with the play that owes them', () => {
  const first = journal('a')
  expect(first.owe(['restart', 'reload'], 'play 1')).toEqual(['restart', 'reload'])
  expect(first.owe(['restart'], 'play 2')).toEqual([])
  const second = journal('b')
  expect(second.leftBehind().handlers).toEqual([
    { name: 'restart', play: 'play 1', runId: 'a' },
    { name: 'reload', play: 'play 1', runId: 'a' },
  ])
  second.settle(['restart'])
  expect(
    journal('c')
      .owed()
      .map(({ name }) => name),
  ).toEqual(['reload'])
})

test('a run that did not end tells where it may have left files; one that ended well does not', () => {
  const cut = journal('a')
  cut.intend('1.1', write('/etc/kine/kine.env'))
  cut.done('1.1')
  cut.intend('1.2', { kind: 'obtain', secret: 'ca' })
  expect(journal('b').leftBehind().folders).toEqual(['/etc/kine', '/etc/twonode/pki'])
  const next = journal('b')
  next.leftBehind()
  next.end(0)
  expect(journal('c').leftBehind().folders).toEqual([])
})

test('a run that failed is looked after like a cut one', () => {
  const failed = journal('a')
  failed.intend('1.1', write('/etc/x'))
  failed.end(3)
  expect(journal('b').leftBehind().folders).toEqual(['/etc'])
})

test('a line that the power failure tore is passed over', () => {
  const cut = journal('a')
  cut.intend('1.1', write('/etc/x'))
  const [name = ''] = runFiles()
  writeFileSync(join(folder.path, name), '{"kind":"intent","fold', { flag: 'a' })
  expect(journal('b').leftBehind().folders).toEqual(['/etc'])
})

test('the last 20 runs are kept', () => {
  for (let run = 0; run < 25; run += 1) {
    const one = journal(`run-${run}`)
    one.intend('1.1', write('/etc/x'))
    one.end(0)
  }
  expect(runFiles()).toHaveLength(20)
  expect(runFiles().join()).not.toContain('run-4.')
})

test("known secrets are taken out of every line, and files are root's alone", () => {
  const careful = openJournal({
    folder: join(folder.path, 'state/journal'),
    runId: '../../etc/evil',
    by: 'hunter2@laptop',
    version: '1',
    redact: (text) => text.replaceAll('hunter2', '********'),
    now: () => new Date(),
  })
  careful.intend('1', { kind: 'exec', argv: ['login', 'hunter2'], timeoutMs: 1 })
  const [name = ''] = readdirSync(join(folder.path, 'state/journal'))
  expect(name).not.toContain('/')
  expect(readFileSync(join(folder.path, 'state/journal', name), 'utf8')).not.toContain('hunter2')
})
