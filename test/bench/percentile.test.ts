import { expect, it } from 'vitest'
import { percentile } from '../../bench/percentile.ts'

it('a percentile is a value that was seen, by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect([50, 95, 100].map((percent) => percentile(values, percent))).toEqual([50, 95, 100])
  expect(percentile([7], 95)).toBe(7)
  expect(percentile([1, 2, 3], 50)).toBe(2)
})

it('of nothing there is none', () => {
  expect(() => percentile([], 50)).toThrow(RangeError)
})
