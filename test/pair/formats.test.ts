import { expect, test } from 'vitest'
import {
  FORMAT_ROWS,
  FORMATS,
  type Formats,
  judgeFormat,
  understandEachOther,
} from '../../src/pair/formats.ts'

/** How two new formats come, one release after the other. */
const RELEASES: readonly Formats[] = [
  FORMATS,
  { speaks: 1, reads: [1, 2] },
  { speaks: 2, reads: [1, 2] },
  { speaks: 2, reads: [2, 3] },
  { speaks: 3, reads: [2, 3] },
]

test('36: releases that follow each other understand each other both ways, whichever host has the newer', () => {
  for (const [at, release] of RELEASES.entries()) {
    const next = RELEASES[at + 1] ?? release
    expect(understandEachOther(release, next), `${at}`).toBe(true)
    expect(understandEachOther(next, release), `${at}`).toBe(true)
  }
})

test('36: a release that is left out may not be understood, and that is said as what it is', () => {
  const [first, , third] = RELEASES
  if (first === undefined || third === undefined) throw new Error('there are three')
  expect(understandEachOther(first, third)).toBe(false)
  expect(judgeFormat(third.speaks, first)).toBe('newer')
  expect(judgeFormat(1, RELEASES[4])).toBe('older')
})

test('36: this release reads what it speaks', () => {
  expect(judgeFormat(FORMATS.speaks)).toBe('read')
})

test.each([
  [1, 'older'],
  [2, 'read'],
  [3, 'read'],
  [4, 'newer'],
  [0, 'older'],
  [2.5, 'none'],
  ['2', 'none'],
  [undefined, 'none'],
  [Number.NaN, 'none'],
] as const)('36: a release that reads 2 and 3 finds %s to be %s', (format, verdict) => {
  expect(judgeFormat(format, { speaks: 3, reads: [2, 3] })).toBe(verdict)
})

test('36: every row has its turn', () => {
  const formats = { speaks: 3, reads: [2, 3] }
  const seen = ['x', 2, 1, 4].map((format) => judgeFormat(format, formats))
  expect(seen).toEqual(FORMAT_ROWS.map(({ verdict }) => verdict))
})
