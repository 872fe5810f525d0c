import { describe, expect, it } from 'vitest'
import { fateOf } from '../../lab/faults.ts'
import { clockDropIn } from '../../lab/host_faults.ts'
import { NO_FAULTS } from '../../lab/state.ts'

describe('packets to a host', () => {
  it('are not touched while nothing is ordered, or nothing any more', () => {
    expect(fateOf(NO_FAULTS, 'h1')).toBeUndefined()
    const ended = { cuts: [], delays: { h1: 0 }, losses: { h1: { percent: 0, seed: 3 } } }
    expect(fateOf(ended, 'h1')).toBeUndefined()
  })

  it('are late, lost, or both, and only those of the host that was named', () => {
    const faults = { cuts: [], delays: { h1: 40 }, losses: { h1: { percent: 2.5, seed: 7 } } }
    expect(fateOf(faults, 'h1')).toEqual(['40', '2.5', '7'])
    expect(fateOf({ ...faults, delays: {} }, 'h1')).toEqual(['0', '2.5', '7'])
    expect(fateOf(faults, 'h2')).toBeUndefined()
  })
})

it('a moved clock leaves the monotonic ones alone', () => {
  expect(clockDropIn()).toContain('FAKETIME_DONT_FAKE_MONOTONIC=1')
})
