import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineCutter, LONGEST_LINE_BYTES, Tail } from '../../src/remote/framing.ts'

test('lines come out as they were written, however the bytes are cut', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => s.replaceAll('\n', ''))
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 10 }),
      fc.integer({ min: 1, max: 7 }),
      (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const found: string[] = []
        const cutter = new LineCutter((line) => found.push(line))
        for (let at = 0; at < bytes.length; at += size) cutter.push(bytes.subarray(at, at + size))
        expect(found).toEqual(lines)
      },
    ),
  )
})

test('a line without end is refused before it fills the memory', () => {
  const cutter = new LineCutter(() => undefined)
  const chunk = Buffer.alloc(LONGEST_LINE_BYTES / 4, 'x')
  const push = () => {
    for (let n = 0; n < 5; n++) cutter.push(chunk)
  }
  expect(push).toThrow(RangeError)
})

test('a tail keeps the end', () => {
  const tail = new Tail(4)
  tail.push('abc')
  tail.push(Buffer.from('def'))
  expect(tail.text).toBe('cdef')
})
