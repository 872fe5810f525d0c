import { beforeEach, describe, expect, test } from 'vitest'
import { Comparison, type ComparisonParts } from '../../../src/agent/salvage/comparison.ts'
import type { Content } from '../../../src/agent/salvage/content.ts'

const HOUR_MS = 3_600_000

let now: number
let faults: string[]
let copied: string[]
/** What the follower says, look by look; the last one stays. */
let says: (Content | null)[]
let asked: number
beforeEach(() => {
  now = 0
  faults = []
  copied = []
  asked = 0
  says = [{ revision: 90, digest: '3:42' }]
})

function comparison(over: Partial<ComparisonParts> = {}): Comparison {
  return new Comparison({
    clock: {
      now: () => now,
      sleep: async (ms) => void (now += ms),
    },
    faults: { tell: (_, message) => void faults.push(message), clear: () => {} },
    slot: () => 'h2_1_1',
    ours: async (revision) => ({ revision: revision ?? 0, digest: '3:42' }),
    followers: async () => says[Math.min(asked++, says.length - 1)] ?? null,
    differs: (slot) => void copied.push(slot),
    ...over,
  })
}

const OTHER = { revision: 90, digest: '2:7' }
const SAME = { revision: 91, digest: '3:42' }

describe("31: a leader and its follower at rest, of which the follower's table may have lost rows", () => {
  test('are compared an hour after the agent has started, and then once a day', async () => {
    const it = comparison()
    for (let hour = 0; hour < 50; hour += 1) {
      await it.look()
      now += HOUR_MS
    }
    expect(asked).toBe(3)
    expect([copied, faults]).toEqual([[], []])
  })

  test('what differs three times is told, and the follower by this slot is no copy (A7)', async () => {
    says = [OTHER]
    const it = comparison()
    now = HOUR_MS
    await it.look()
    expect([asked, copied]).toEqual([3, ['h2_1_1']])
    expect(faults).toEqual([expect.stringContaining('copied anew')])
  })

  test('a row that was on its way is no difference', async () => {
    says = [OTHER, OTHER, SAME]
    const it = comparison()
    now = HOUR_MS
    await it.look()
    expect([asked, copied, faults]).toEqual([3, [], []])
  })

  test.each([
    ['the follower gives no answer', { followers: async () => null }],
    ['the table was compacted beyond it', { ours: async () => null }],
    ['there is no follower', { slot: () => null }],
  ])('nothing is known, and nothing done, while %s', async (_, over) => {
    says = [OTHER]
    const it = comparison(over)
    now = HOUR_MS
    await it.look()
    expect(await it.ask()).toBe('unknown')
    expect([copied, faults]).toEqual([[], []])
  })

  test('another follower in the meantime is not taken for this one', async () => {
    const slots = ['h2_1_1', 'h2_1_1', 'h2_1_2']
    const it = comparison({ slot: () => slots.shift() ?? 'h2_1_2' })
    says = [OTHER]
    now = HOUR_MS
    await it.look()
    expect(copied).toEqual([])
  })

  test('a database that gives no answer is told, and asked again the next day', async () => {
    const it = comparison({
      ours: async () => {
        throw new Error('canceling statement')
      },
    })
    now = HOUR_MS
    await it.look()
    expect(faults).toEqual([expect.stringContaining('canceling statement')])
    await it.look()
    expect(faults).toHaveLength(1)
  })
})

test('31: who asks is told, and it changes nothing by itself; what differs is looked at again at once', async () => {
  says = [OTHER]
  const it = comparison()
  expect(await it.ask()).toBe('differs')
  expect(copied).toEqual([])
  await it.look()
  expect([asked, copied]).toEqual([6, ['h2_1_1']])
  says = [SAME]
  expect(await it.ask()).toBe('same')
})
