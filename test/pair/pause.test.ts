import { expect, test } from 'vitest'
import {
  type Moment,
  parsePause,
  pauseFrom,
  pauseLeft,
  pauseText,
  serialisePause,
} from '../../src/pair/pause.ts'

const HOUR_MS = 3_600_000
const NOON = Date.parse('2026-11-22T12:00:00Z')
const BEGAN: Moment = { boot: 'one', upMs: 90_000, wallMs: NOON }
const PAUSE = pauseFrom(BEGAN, HOUR_MS)

test('a pause lasts as long as it was meant to, and is then over', () => {
  expect(pauseLeft(PAUSE, BEGAN)).toBe(HOUR_MS)
  expect(pauseLeft(PAUSE, { ...BEGAN, upMs: BEGAN.upMs + HOUR_MS - 1 })).toBe(1)
  expect(pauseLeft(PAUSE, { ...BEGAN, upMs: BEGAN.upMs + HOUR_MS })).toBe(0)
})

test('within a boot a clock on the wall that jumps neither ends it nor makes it longer', () => {
  for (const jump of [-365, -1, 1, 365])
    expect(pauseLeft(PAUSE, { ...BEGAN, wallMs: NOON + jump * 24 * HOUR_MS })).toBe(HOUR_MS)
})

test('after a boot the clock on the wall counts, and one that was set back makes it no longer than it was', () => {
  const booted = { boot: 'two', upMs: 1_000 }
  expect(pauseLeft(PAUSE, { ...booted, wallMs: NOON + HOUR_MS / 2 })).toBe(HOUR_MS / 2)
  expect(pauseLeft(PAUSE, { ...booted, wallMs: NOON + 2 * HOUR_MS })).toBe(0)
  expect(pauseLeft(PAUSE, { ...booted, wallMs: NOON - 24 * HOUR_MS })).toBe(HOUR_MS)
})

test('what was written is read again; anything else is a pause without an end', () => {
  expect(parsePause(serialisePause(PAUSE))).toEqual(PAUSE)
  const torn = serialisePause(PAUSE).slice(0, 30)
  for (const text of ['', 'rubbish', '[]', '{}', '{"format":1}', '{"format":2}', torn])
    expect(parsePause(text), text).toBeNull()
})

test.each([
  [null, 'no expiry'],
  [42 * 60_000, 'until 12:42 UTC, 42 min left'],
  [30_000, 'until 12:00 UTC, 30 s left'],
  [2.5 * HOUR_MS, 'until 14:30 UTC, 2 h 30 min left'],
  [24 * HOUR_MS, 'until 2026-11-23 12:00 UTC, 24 h left'],
])('what is left of %s ms is said as "%s"', (leftMs, text) => {
  expect(pauseText(leftMs, NOON)).toBe(text)
})
