import { expect, test } from 'vitest'
import { EXIT } from '../../src/core/errors.ts'
import { EXIT_MEANINGS, worstExit } from '../../src/cli/exit_code.ts'

test('several hosts give the worst of 5, 4, 3, 10 in that order', () => {
  expect(worstExit([0, 10, 3, 4, 5])).toBe(5)
  expect(worstExit([0, 10, 3, 4])).toBe(4)
  expect(worstExit([0, 10, 3])).toBe(3)
  expect(worstExit([0, 10])).toBe(10)
  expect(worstExit([0, 0])).toBe(0)
  expect(worstExit([])).toBe(0)
})

test('a bug of ours is never hidden, and an interrupt explains what failed after it', () => {
  for (const code of Object.values(EXIT)) expect(worstExit([code, 70])).toBe(70)
  expect(worstExit([4, 3, 130])).toBe(130)
})

test('every exit code has a meaning for the manual', () => {
  for (const code of Object.values(EXIT)) expect(EXIT_MEANINGS[code]).not.toBe('')
})
