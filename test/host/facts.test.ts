import { expect, test } from 'vitest'
import { FACTS } from '../../src/plan/names.ts'
import { parseOsRelease, readFacts } from '../../src/host/facts.ts'

test('the runner tells exactly the facts that templates may name', () => {
  expect(Object.keys(readFacts()).toSorted()).toEqual(Object.keys(FACTS).toSorted())
})

test.each([
  ['ID=debian\nVERSION_ID="12"\n', { ID: 'debian', VERSION_ID: '12' }],
  ["NAME='A b'\nID='x'\n# ID=no\n", { ID: 'x' }],
  ['', {}],
])('os-release is read quoted or not: %j', (text, expected) => {
  expect(parseOsRelease(text)).toMatchObject(expected)
})
