import { expect, test } from 'vitest'
import { CommitWaits } from '../../../src/agent/probes/commit_waits.ts'

const waiting = (key: string, ageMs: number) => ({ key, ageMs })

test('B7: nobody waits, and nothing is old', () => {
  expect(new CommitWaits().oldest([], 0, 1)).toBe(0)
})

test('B7: a wait is not older than the look that did not show it, however long its statement ran', () => {
  const waits = new CommitWaits()
  waits.oldest([], 1_000, 1_002)
  // A compaction of nine seconds that has just come to its commit.
  expect(waits.oldest([waiting('a', 9_000)], 2_000, 2_002)).toBe(1_002)
  expect(waits.oldest([waiting('a', 9_250)], 2_250, 2_252)).toBe(1_252)
  expect(waits.oldest([waiting('a', 9_500)], 2_500, 2_502)).toBe(1_502)
})

test('B7: a wait is not older than its statement', () => {
  const waits = new CommitWaits()
  waits.oldest([], 1_000, 1_002)
  expect(waits.oldest([waiting('a', 30)], 2_000, 2_002)).toBe(30)
})

test('B7: many short waits of one backend are not one long one', () => {
  const waits = new CommitWaits()
  for (let at = 0; at < 5_000; at += 250)
    expect(waits.oldest([waiting(`pid 7 ${at}`, 8)], at, at + 2)).toBe(8)
})

test('B7: the oldest of several counts, and one that ended is forgotten', () => {
  const waits = new CommitWaits()
  waits.oldest([], 0, 1)
  waits.oldest([waiting('a', 100), waiting('b', 90)], 250, 251)
  expect(waits.oldest([waiting('a', 350), waiting('b', 340)], 500, 501)).toBe(350)
  expect(waits.oldest([waiting('b', 590)], 750, 751)).toBe(590)
  expect(waits.oldest([], 1_000, 1_001)).toBe(0)
})

test('B7: after a start, with no look before, the statement is all that is known', () => {
  expect(new CommitWaits().oldest([waiting('a', 4_000)], 10, 12)).toBe(4_000)
})
