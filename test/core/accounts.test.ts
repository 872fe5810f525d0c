import { expect, test } from 'vitest'
import { mergeAccounts } from '../../src/core/accounts.ts'

const lines = (host: string, ...times: readonly string[]) => times.map((at) => ({ at, host }))

test('the oldest comes first, and a clock that was set back moves no line before another of its host', () => {
  const merged = mergeAccounts([lines('h1', '05', '01', '07'), lines('h2', '02', '06')])
  expect(merged.map(({ at, host }) => `${host} ${at}`)).toEqual([
    'h2 02',
    'h1 05',
    'h1 01',
    'h2 06',
    'h1 07',
  ])
})

test('of no accounts, and of empty ones, there is nothing to tell', () => {
  expect([mergeAccounts([]), mergeAccounts([[], []])]).toEqual([[], []])
})
