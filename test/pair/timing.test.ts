import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { deadline, judge, type Judge } from '../../src/pair/judge.ts'
import { firstMemory, type Memory, remember } from '../../src/pair/liveness.ts'
import { type Timing, timingOf } from '../../src/pair/timing.ts'
import { NOTHING_SEEN, pairMeta } from '../support/agent_sightings.ts'

const META = pairMeta()

interface Rounds {
  readonly self: string
  readonly timing: Timing
  /** When the first round starts. */
  readonly phase: number
  /** Both the peer and the gateway answer until then. */
  readonly cutAt: number
  readonly rttMs: number
  /** How long a look lasts whose probes fail. */
  readonly failMs: number
}

/** When what this host judges first fits, looking and waking as the agent's core does. */
function firstTime(rounds: Rounds, fits: (judged: ReturnType<typeof judge>) => boolean): number {
  const { timing, phase, self } = rounds
  let memory = firstMemory(phase)
  for (let at = phase; at < rounds.cutAt + 20 * timing.promoteMs; at += timing.intervalMs) {
    const answered = at + rounds.rttMs <= rounds.cutAt
    const end = at + (answered ? rounds.rttMs : rounds.failMs)
    const during = wakes(memory, at, end, timing, fits)
    if (during !== null) return during
    const heard = answered ? { sentAt: at, arrivedAt: end } : null
    const sighting = { ...NOTHING_SEEN, gateway: heard, peerPing: heard }
    memory = remember(memory, sighting, { self, meta: META, at })
    if (fits(judge(memory, by(end, timing)))) return end
    const between = wakes(memory, end, at + timing.intervalMs, timing, fits)
    if (between !== null) return between
  }
  throw new Error('it never came to that')
}

// oxlint-disable-next-line max-params
function wakes(
  memory: Memory,
  from: number,
  to: number,
  timing: Timing,
  fits: (judged: ReturnType<typeof judge>) => boolean,
): number | null {
  const due = deadline(memory, by(from, timing))
  return due !== null && due <= to && fits(judge(memory, by(due, timing))) ? due : null
}

function by(now: number, timing: Timing): Judge {
  return { now, timing, meta: META, metaDoubtful: false, acceptLossBytes: 0 }
}

const fenced = ({ peer, gateway }: ReturnType<typeof judge>) =>
  gateway === 'down' && (peer.contact === 'cut' || peer.contact === 'gone')
const gone = ({ peer }: ReturnType<typeof judge>) => peer.contact === 'gone'

const cuts = fc
  .record({
    intervalMs: fc.constantFrom(250, 1000, 5000),
    failures: fc.integer({ min: 2, max: 8 }),
    leaderPhase: fc.double({ min: 0, max: 1, noNaN: true }),
    followerPhase: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.double({ min: 3, max: 6, noNaN: true }),
    rtt: fc.double({ min: 0, max: 1, noNaN: true }),
    fail: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ intervalMs, failures, leaderPhase, followerPhase, cut, rtt, fail }) => {
    const timing = timingOf({ intervalMs, failures })
    const rttMs = rtt * timing.probeTimeoutMs
    const common = { timing, cutAt: cut * intervalMs, rttMs, failMs: fail * timing.probeTimeoutMs }
    return {
      leader: { ...common, self: 'h1', phase: leaderPhase * intervalMs },
      follower: { ...common, self: 'h2', phase: followerPhase * intervalMs },
    }
  })

/** Of floating-point milliseconds. */
const GRAIN = 1e-6

test('the timer law: whatever the phases, a cut-off leader stops before its follower promotes', () => {
  fc.assert(
    fc.property(cuts, ({ leader, follower }) => {
      expect(firstTime(leader, fenced)).toBeLessThanOrEqual(firstTime(follower, gone) + GRAIN)
    }),
    { numRuns: 3000 },
  )
})

test('a leader stops within the fence time of the cut', () => {
  fc.assert(
    fc.property(cuts, ({ leader }) => {
      const { fenceMs, failures, probeTimeoutMs } = leader.timing
      // With two failures there is no failed look yet to go by: the first one has to end.
      const bound = leader.cutAt + fenceMs + (failures === 2 ? probeTimeoutMs : 0) + GRAIN
      expect(firstTime(leader, fenced)).toBeLessThanOrEqual(bound)
    }),
    { numRuns: 1000 },
  )
})

test('a follower promotes between the promote time and one interval and a half later', () => {
  fc.assert(
    fc.property(cuts, ({ follower }) => {
      const { timing, cutAt } = follower
      const at = firstTime(follower, gone)
      expect(at).toBeGreaterThanOrEqual(cutAt + timing.fenceMs - timing.probeTimeoutMs - GRAIN)
      expect(at).toBeLessThanOrEqual(cutAt + timing.promoteMs + 1.5 * timing.intervalMs)
    }),
    { numRuns: 1000 },
  )
})

test('the formulas: fence, promote and late follow from interval and failures', () => {
  expect(timingOf({ intervalMs: 1000, failures: 4 })).toMatchObject({
    fenceMs: 3000,
    promoteMs: 4000,
    lateMs: 3000,
    probeTimeoutMs: 500,
  })
  expect(
    timingOf({ intervalMs: 250, failures: 4 }).lateMs,
    'a busy machine is not a frozen one',
  ).toBe(3000)
})
