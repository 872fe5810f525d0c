import { expect, test } from 'vitest'
import { isNewer } from '../../src/core/version.ts'

test.each([
  ['1.2.0', '1.1.9'],
  ['1.10.0', '1.9.0'],
  ['2.0.0', '1.99.99'],
  ['1.0.0', '1.0.0-rc.1'],
  ['v1.0.1', '1.0.0'],
])('%s is newer than %s, and not the other way round', (newer, older) => {
  expect(isNewer(newer, older)).toBe(true)
  expect(isNewer(older, newer)).toBe(false)
})

test('a version is not newer than itself, and what is no version never is', () => {
  expect(isNewer('1.0.0', '1.0.0')).toBe(false)
  expect(isNewer('latest', '1.0.0')).toBe(false)
  expect(isNewer('1.0.0', 'latest')).toBe(false)
})
