import { expect, test } from 'vitest'
import { watchProblems, watchVerdict } from '../../lab/watch_log.ts'
import type { WriterRecord } from '../../lab/writer_log.ts'

const list = (rv: number): WriterRecord => ({ at: 0, kind: 'list', rv })
const ack = (rv: number): WriterRecord => ({ at: 0, kind: 'ack', n: rv, rv })
const event = (rv: number): WriterRecord => ({ at: 0, kind: 'event', n: rv, rv })
const bookmark = (rv: number): WriterRecord => ({ at: 0, kind: 'bookmark', rv })
const write = (n: number, base: number): WriterRecord => ({ at: 0, kind: 'try', n, base })
const ended: WriterRecord = { at: 0, kind: 'watch-ended', why: 'by the server' }

const WELL = { interrupted: 0, lists: 0, missing: [], outOfOrder: 0 }

test('a watch that shows each acknowledged revision once and in order was not interrupted', () => {
  const log = [list(5), event(6), ack(6), ack(7), event(7), ack(9)]
  expect(watchVerdict(log), 'the last event may still be under way').toEqual(WELL)
})

test('a watch that never began says nothing', () => {
  expect(watchVerdict([ack(6)])).toEqual(WELL)
})

test.each([
  ['cut, and began anew from a list', [list(5), event(6), ended, list(8)], [6], 'lists', 1],
  ['ended', [list(5), ended, list(8)], [], 'interrupted', 1],
  ['without an acknowledged revision', [list(5), event(6), event(8)], [6, 7, 8], 'missing', [7]],
  ['with an event twice', [list(5), event(6), event(6)], [6], 'outOfOrder', 1],
] as const)('a watch that was %s is told so', (_, records, acked, key, value) => {
  const verdict = watchVerdict([...records, ...acked.map(ack)])
  expect(verdict[key]).toEqual(value)
})

test.each([
  ['goes on from where it was cut', [list(5), event(6), ended, event(7), event(8)], []],
  ['was compacted, and lists anew', [list(5), event(6), ended, list(9), event(10)], []],
  ['lost one while it was cut', [list(5), event(6), ended, event(8)], ['the watch never showed 7']],
  [
    'is shown one again',
    [list(5), event(6), ended, event(6), event(7)],
    ['the watch showed 6 after 6'],
  ],
] as const)('37: a client whose watch %s', (_, records, problems) => {
  const acked = [6, 7, 8].map(ack)
  expect(watchProblems([...acked, ...records])).toEqual(problems)
})

test.each([
  ['is told how far it is', [list(5), event(6), bookmark(9), ended, bookmark(9), event(12)], []],
  ['is told less than it knows', [list(5), event(6), bookmark(9), bookmark(7)], ['and marked 7']],
  ['is shown what was to be over', [list(5), event(6), bookmark(9), event(8)], ['8 after 9']],
  ['is told that nothing was in between', [list(5), bookmark(9)], ['never showed 6']],
] as const)('37: a client whose watch %s, by a bookmark', (_, records, problems) => {
  const expected = problems.map((problem) => expect.stringContaining(problem) as string)
  expect(watchProblems([ack(6), ...records])).toEqual(expected)
})

test('37: each event follows the one that its write replaced, also when nobody was told that the write was made', () => {
  const log = [write(6, 5), write(7, 6), write(8, 7), ack(6), list(5)]
  expect(watchProblems([...log, event(6), event(7), event(8)])).toEqual([])
  expect(watchProblems([...log, event(6), ended, event(8)])).toEqual([
    'the watch showed 8 after 6, and it replaced 7',
  ])
  expect(watchProblems([...log, event(6), list(7), event(8)]), 'compacted').toEqual([])
})

const told = (n: number, as: string): WriterRecord => ({ at: 0, kind: 'event', n, rv: 6 + n, as })

test('37: a change that is told as a new object, and one of another object, are found out', () => {
  expect(watchProblems([list(5), told(0, 'ADDED'), told(1, 'MODIFIED')])).toEqual([])
  expect(watchProblems([list(5), told(0, 'ADDED'), told(1, 'ADDED')])).toEqual([
    'the watch showed 7 as ADDED',
  ])
  expect(watchProblems([list(5), told(1, 'MODIFIED of other')])).toHaveLength(1)
})
