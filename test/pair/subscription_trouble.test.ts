import { describe, expect, test } from 'vitest'
import type { FollowerSighting } from '../../src/pair/sighting.ts'
import {
  needsNewSlot,
  NO_TROUBLE,
  seeSubscription,
  type SubscriptionMemory,
} from '../../src/pair/subscription_trouble.ts'

const WHOLE: FollowerSighting = {
  slot: 'h2_1_1',
  enabled: true,
  ready: true,
  copied: null,
  workerAlive: true,
  errors: 0,
}

const COPIES = { ready: false, copied: 'd' } as const

interface Looks {
  readonly slot?: string
  readonly leaderAnswers?: boolean
  readonly from?: SubscriptionMemory
}

/** What is remembered after these looks, a second apart. */
function after(
  looks: readonly (Partial<FollowerSighting> | null)[],
  { slot = 'h2_1_1', leaderAnswers = true, from = NO_TROUBLE }: Looks = {},
): SubscriptionMemory {
  return looks.reduce<SubscriptionMemory>(
    (memory, look, index) =>
      seeSubscription(memory, look === null ? null : { ...WHOLE, slot, ...look }, {
        slot,
        at: (index + 1) * 1000,
        leaderAnswers,
      }),
    from,
  )
}

function seconds(
  count: number,
  look: (at: number) => Partial<FollowerSighting>,
): Partial<FollowerSighting>[] {
  return Array.from({ length: count }, (_, index) => look(index))
}

test('a subscription that fails again and again needs a new slot after 20 s, and not when it recovers (B3)', () => {
  const looks = seconds(23, (errors) => ({ errors }))
  expect(needsNewSlot(after(looks), 'h2_1_1')).toBe(true)
  expect(needsNewSlot(after(looks.slice(0, 18)), 'h2_1_1')).toBe(false)
})

test('a subscription that vanished is not made again on its slot: it would lose its origin (B4)', () => {
  expect(needsNewSlot(after([{}, null]), 'h2_1_1')).toBe(true)
  expect(needsNewSlot(after([null, null]), 'h2_1_1')).toBe(false)
})

test('what was seen of a slot says nothing of the next one: another new slot would cut its copy short (B3)', () => {
  expect(needsNewSlot(after([{}, null]), 'h2_1_2')).toBe(false)
})

describe('a copy, beside which the stream lives on (A3),', () => {
  test('that stands still for a minute is begun anew; one that comes further is not', () => {
    const still = seconds(62, () => COPIES)
    expect(needsNewSlot(after(still), 'h2_1_1')).toBe(true)
    expect(needsNewSlot(after(still.slice(0, 60)), 'h2_1_1')).toBe(false)
    const moving = seconds(200, (at) => ({ ...COPIES, copied: `d ${at}` }))
    expect(needsNewSlot(after(moving), 'h2_1_1')).toBe(false)
  })

  test('that fails again and again is begun anew, however far each attempt came', () => {
    const fails = seconds(70, (at) => ({ ...COPIES, copied: `d ${at % 3}`, errors: at }))
    expect(needsNewSlot(after(fails), 'h2_1_1')).toBe(true)
    const failed = seconds(70, (at) => ({ ...COPIES, copied: `d ${at}`, errors: Math.min(at, 2) }))
    expect(needsNewSlot(after(failed), 'h2_1_1')).toBe(false)
  })

  test('has all the time that its leader does not answer', () => {
    const still = after(
      seconds(62, () => COPIES),
      { leaderAnswers: false },
    )
    expect(needsNewSlot(still, 'h2_1_1')).toBe(false)
  })

  test('that stood still is whole in the end: nothing is begun anew', () => {
    const late = after([...seconds(62, () => COPIES), {}])
    expect(needsNewSlot(late, 'h2_1_1')).toBe(false)
  })

  test('has twice the time when the one before it stood still: copying mends no full disk', () => {
    const from = after(seconds(62, () => COPIES))
    const next = (count: number) =>
      after(
        seconds(count, () => COPIES),
        { slot: 'h2_1_2', from },
      )
    expect(needsNewSlot(next(119), 'h2_1_2')).toBe(false)
    expect(needsNewSlot(next(122), 'h2_1_2')).toBe(true)
  })
})
