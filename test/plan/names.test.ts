import { expect, test } from 'vitest'
import { readFacts } from '../../src/host/facts.ts'
import { FACTS } from '../../src/plan/names.ts'

test('the facts that a playbook may name are those that a host tells', () => {
  expect(Object.keys(FACTS).toSorted()).toEqual(Object.keys(readFacts()).toSorted())
})
