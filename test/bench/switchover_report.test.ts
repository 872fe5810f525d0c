import { expect, test } from 'vitest'
import { meetsBars, type WriterVerdict } from '../../bench/switchover_report.ts'
import { switchoverSteps } from '../../lab/switchover_steps.ts'
import type { SwitchoverTrial } from '../../lab/switchover_trial.ts'

const GOOD: SwitchoverTrial = {
  run: 1,
  from: 'h1',
  prepared: 200,
  stoodStill: 300,
  compared: 100,
  tookUp: 400,
  gap: 1_200,
  gapOfOld: 1_900,
  paired: 4_000,
  jump: 1,
  copied: false,
}
const WELL: WriterVerdict = {
  host: 'h1',
  lost: 0,
  regressions: 0,
  acknowledged: 1_000,
  interrupted: 0,
  lists: 0,
  missing: [],
  outOfOrder: 0,
}

test('a switchover meets its bar when its gap is short and nobody noticed anything else', () => {
  expect(meetsBars([GOOD], [WELL])).toBe(true)
  expect(meetsBars([{ ...GOOD, gapOfOld: 9_000 }], [WELL]), 'only shown').toBe(true)
})

test.each([
  ['a long gap', { gap: 2_001 }, {}],
  ['a gap that was not seen', { gap: undefined }, {}],
  ['a copy', { copied: true }, {}],
  ['a revision that jumped', { jump: 1_000_000 }, {}],
  ['a pair that was not seen again', { paired: undefined }, {}],
  ['a lost write', {}, { lost: 1 }],
  ['a watch that was cut', {}, { interrupted: 1 }],
  ['an event that is missing', {}, { missing: [7] }],
] as const)('%s misses it', (_, trial, writer) => {
  expect(meetsBars([{ ...GOOD, ...trial }], [{ ...WELL, ...writer }])).toBe(false)
})

function converge(host: 'h1' | 'h2', at: number, tag: string) {
  return { host, at, record: { kind: 'converge', tags: [tag], outcome: 'done' } }
}

test('the steps of a hand-over are read from both journals', () => {
  const account = [
    { host: 'h1' as const, at: 100, record: { kind: 'decision', goal: 'hand-over' } },
    converge('h2', 250, 'handover'),
    converge('h1', 600, 'handover'),
    { host: 'h1' as const, at: 700, record: { kind: 'meta', leader: 'h2' } },
    converge('h2', 1_000, 'role'),
  ]
  expect(switchoverSteps(account, { from: 'h1', to: 'h2' })).toEqual({
    prepared: 150,
    stoodStill: 350,
    compared: 100,
    tookUp: 300,
  })
  expect(switchoverSteps(account.slice(0, 2), { from: 'h1', to: 'h2' }).tookUp).toBeUndefined()
})
