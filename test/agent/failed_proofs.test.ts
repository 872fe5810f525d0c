import { expect, test } from 'vitest'
import { FailedProofs } from '../../src/agent/failed_proofs.ts'
import { manualClock } from './support/manual_clock.ts'

test('ten wrong tokens of one address are enough for a minute; others are listened to', () => {
  const clock = manualClock()
  const failed = new FailedProofs(clock)
  for (let count = 0; count < 10; count += 1) {
    expect(failed.areTooMany('10.0.0.1')).toBe(false)
    failed.count('10.0.0.1')
  }
  expect([failed.areTooMany('10.0.0.1'), failed.areTooMany('10.0.0.2')]).toEqual([true, false])
  clock.advance(60_000)
  expect(failed.areTooMany('10.0.0.1')).toBe(false)
})
