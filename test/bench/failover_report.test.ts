import { expect, it } from 'vitest'
import { meetsBars } from '../../bench/failover_report.ts'
import type { FailoverTrial } from '../../lab/failover_trial.ts'

const GOOD: FailoverTrial = {
  run: 1,
  victim: 'h1',
  detection: 4_000,
  promotion: 200,
  promoted: 4_200,
  firstWrite: 5_000,
  gap: 5_000,
  controllers: 7_000,
  lockWasDead: true,
  returned: 1_500,
  copied: false,
  paired: 3_000,
  lost: 0,
  regressions: 0,
}

it('the bar of a return is for those without a copy', () => {
  expect(meetsBars([GOOD, { ...GOOD, returned: 9_000, copied: true }])).toBe(true)
  expect(meetsBars([GOOD, { ...GOOD, returned: 9_000 }])).toBe(false)
})

it('of the rows of which nothing could be seen none misses its bar', () => {
  expect(meetsBars([{ ...GOOD, copied: true }])).toBe(true)
})

it('what was not seen, or lost, misses it whatever the rest took', () => {
  expect(meetsBars([GOOD, { ...GOOD, gap: undefined }])).toBe(false)
  expect(meetsBars([GOOD, { ...GOOD, lost: 1 }])).toBe(false)
})
