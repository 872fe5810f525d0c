import { expect, test } from 'vitest'
import { Freshness } from '../../../src/agent/probes/freshness.ts'

const SECOND = 1_000

/** Answers every half a second, each read as it comes, with clocks that differ by so much. */
function steady(freshness: Freshness, offsetMs: number, fromMs: number, count: number) {
  return Array.from({ length: count }, (_, i) => freshness.judge(offsetMs, fromMs + i * 500))
}

test('an answer that is read as it comes is fresh, whatever the two clocks say', () => {
  for (const offsetMs of [0, 3, -7 * 3_600 * SECOND, 7 * 3_600 * SECOND])
    expect(steady(new Freshness(500, 250), offsetMs, 0, 4)).toEqual([0, 0, 0, 0])
})

test('A8: what came while we were frozen is of the past; only the last of it is not', () => {
  const freshness = new Freshness(500, 250)
  steady(freshness, 2, 0, 10)
  const backlog = Array.from({ length: 60 }, (_, i) => 30 * SECOND - i * 500)
  const judged = backlog.map((agoMs) => freshness.judge(agoMs, 35 * SECOND))
  expect(judged.slice(0, 59)).toEqual(Array.from({ length: 59 }, () => null))
  expect(judged[59]).toBe(498)
  expect(freshness.judge(2, 35.5 * SECOND)).toBe(0)
})

test('a clock that is set, ahead or back, costs one answer at most', () => {
  const freshness = new Freshness(500, 250)
  steady(freshness, 2, 0, 4)
  expect(steady(freshness, 3_600 * SECOND, 2 * SECOND, 4)).toEqual([null, 0, 0, 0])
  expect(steady(freshness, -5, 4 * SECOND, 4)).toEqual([0, 0, 0, 0])
})

test('a reader that is a little late is not away', () => {
  const freshness = new Freshness(500, 250)
  steady(freshness, 2, 0, 4)
  expect(freshness.judge(180, 2 * SECOND)).toBe(0)
  expect(freshness.judge(2, 2.5 * SECOND)).toBe(0)
  expect(freshness.judge(400, 3 * SECOND)).toBe(398)
})
