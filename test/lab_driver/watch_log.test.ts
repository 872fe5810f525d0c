import { expect, test } from 'vitest'
import { watchProblems, watchVerdict } from '../../lab/watch_log.ts'
import type { WriterRecord } from '../../lab/writer_log.ts'

const list = (rv: number): WriterRecord => ({ at: 0, kind: 'list', rv })
const ack = (rv: number): WriterRecord => ({ at: 0, kind: 'ack', n: rv, rv })
const event = (rv: number): WriterRecord => ({ at: 0, kind: 'event', n: rv, rv })
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
