import { describe, expect, test } from 'vitest'
import {
  boundsOf,
  budget,
  type DiskBudget,
  FIRST_BUDGET,
  type Room,
} from '../../src/pair/disk_budget.ts'

const MB = 1024 * 1024

const SEEN = { writable: true, freeBytes: 1e12, spareBytes: 0, writtenBytes: 0, at: 0 }

/** Rounds of a second in which so much is free, while nothing is written. */
function rooms(...freeMb: readonly number[]): Room[] {
  let now: DiskBudget = FIRST_BUDGET
  return freeMb.map((free, round) => {
    const seen = { ...SEEN, freeBytes: free * MB, at: 1_000 * round }
    now = budget(now, seen)
    return now.room
  })
}

/** What is thought of the rate after so many seconds of it. */
function rateAfter(seconds: number, mbPerSecond: number): number {
  let now: DiskBudget = FIRST_BUDGET
  for (let at = 0; at <= seconds; at += 1) {
    const writtenBytes = at * mbPerSecond * MB
    now = budget(now, { ...SEEN, writtenBytes, at: 1_000 * at })
  }
  return now.bytesPerSecond / MB
}

describe('a disk that fills', () => {
  test('30: is low before it is tight, and tight before it is full', () => {
    expect(rooms(2_000, 255, 127, 31)).toEqual(['ok', 'low', 'tight', 'full'])
  })

  test('leaves each of them at twice its bound, and does not flutter at its edge', () => {
    expect(rooms(127, 129, 127, 255, 257, 300, 511, 513)).toEqual([
      'tight',
      'tight',
      'tight',
      'tight',
      'low',
      'low',
      'low',
      'ok',
    ])
  })

  test('has room in WAL that is there to be written, but for a full one', () => {
    const spare = { ...SEEN, spareBytes: 400 * MB }
    expect(budget(FIRST_BUDGET, { ...spare, freeBytes: 100 * MB }).room).toBe('ok')
    expect(budget(FIRST_BUDGET, { ...spare, freeBytes: 20 * MB }).room).toBe('full')
  })

  test('that takes no small file is full, whatever is free', () => {
    expect(budget(FIRST_BUDGET, { ...SEEN, writable: false }).room).toBe('full')
  })
})

describe('what is written in a second', () => {
  test('moves the bounds: a follower is let go a minute before the disk is full', () => {
    const { full, tight, low } = boundsOf(10 * MB)
    expect(tight - full).toBe(600 * MB)
    expect(low).toBe(2 * tight)
  })

  test('counts over half a minute: a burst of a second moves little, and a minute of it much', () => {
    expect(rateAfter(1, 30)).toBeLessThan(1.1)
    expect(rateAfter(60, 30)).toBeGreaterThan(25)
  })

  test('goes on from where it was when PostgreSQL has not answered, or was made anew', () => {
    const rate = 5 * MB
    const before = { ...FIRST_BUDGET, bytesPerSecond: rate, last: { writtenBytes: 900, at: 0 } }
    const seen = { ...SEEN, at: 1_000 }
    expect(budget(before, { ...seen, writtenBytes: null }).bytesPerSecond).toBe(rate)
    const anew = budget(before, { ...seen, writtenBytes: 10 })
    expect(anew.bytesPerSecond).toBeGreaterThan(0)
    expect(anew.bytesPerSecond).toBeLessThan(rate)
  })
})
