import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { deadline, judge, type Judge } from '../../src/pair/judge.ts'
import { firstMemory, overheard, remember } from '../../src/pair/liveness.ts'
import type { Sighting } from '../../src/pair/sighting.ts'
import { type Timing, timingOf } from '../../src/pair/timing.ts'
import { NOTHING_SEEN, pairMeta } from '../support/agent_sightings.ts'

const META = pairMeta()

interface Rounds {
  readonly self: string
  readonly timing: Timing
  /** When the first round starts. */
  readonly phase: number
  /** When the first ping is sent; one follows each half interval, whatever the rounds do. */
  readonly pingPhase: number
  /** Both the peer and the gateway answer until then. */
  readonly cutAt: number
  readonly rttMs: number
  /** How long a look lasts whose probes fail. */
  readonly failMs: number
  /** The peer's agent and API are dead anyway: its kernel alone answers. */
  readonly pingsOnly: boolean
}

/** When what this host judges first fits, looking and waking as the agent's core does. */
function firstTime(rounds: Rounds, fits: (judged: ReturnType<typeof judge>) => boolean): number {
  const { timing, phase, self, cutAt, rttMs, failMs } = rounds
  let memory = firstMemory(phase)
  let taken = phase
  /** Null: what is judged then does not fit. */
  const judgedAt = (now: number): number | null => {
    const { peerPing, gateway } = pingsIn(rounds, taken, now)
    memory = overheard(memory, { peerPing, gateway })
    return fits(judge(memory, by(now, timing))) ? now : null
  }
  const woken = (from: number, to: number): number | null => {
    for (let now = from; ;) {
      const due = deadline(memory, by(now, timing))
      if (due === null || due > to) return null
      const found = judgedAt(due)
      if (found !== null) return found
      now = due
    }
  }
  for (let at = phase; at < cutAt + 20 * timing.promoteMs; at += timing.intervalMs) {
    const answered = !rounds.pingsOnly && at + rttMs <= cutAt
    const end = at + (answered ? rttMs : failMs)
    const during = woken(at, end)
    if (during !== null) return during
    const peerApi = answered ? { sentAt: at, arrivedAt: end } : null
    const sighting = { ...NOTHING_SEEN, ...pingsIn(rounds, taken, end), peerApi }
    taken = end
    memory = remember(memory, sighting, { self, meta: META, at })
    const then = judgedAt(end) ?? woken(end, at + timing.intervalMs)
    if (then !== null) return then
  }
  throw new Error('it never came to that')
}

/** The newest answer to a ping that came after one moment, and until another. */
function pingsIn(
  { timing, pingPhase, cutAt, rttMs }: Rounds,
  after: number,
  until: number,
): Pick<Sighting, 'peerPing' | 'gateway'> {
  const newest = Math.floor((Math.min(until, cutAt) - rttMs - pingPhase) / timing.probeTimeoutMs)
  const sentAt = pingPhase + newest * timing.probeTimeoutMs
  const arrivedAt = sentAt + rttMs
  const heard = newest >= 0 && arrivedAt > after ? { sentAt, arrivedAt } : null
  return { peerPing: heard, gateway: heard }
}

function by(now: number, timing: Timing): Judge {
  return { now, timing, meta: META, metaDoubtful: false, acceptLossBytes: 0, followerDelayMs: 0 }
}

const fenced = ({ peer, gateway }: ReturnType<typeof judge>) =>
  gateway === 'down' && (peer.contact === 'cut' || peer.contact === 'gone')
const gone = ({ peer }: ReturnType<typeof judge>) => peer.contact === 'gone'

const share = fc.double({ min: 0, max: 1, noNaN: true })

const cuts = fc
  .record({
    intervalMs: fc.constantFrom(250, 1000, 5000),
    failures: fc.integer({ min: 2, max: 8 }),
    leaderPhase: share,
    followerPhase: share,
    leaderPings: share,
    followerPings: share,
    cut: fc.double({ min: 3, max: 6, noNaN: true }),
    rtt: share,
    fail: share,
    pingsOnly: fc.boolean(),
  })
  .map(({ intervalMs, failures, cut, rtt, fail, pingsOnly, ...phases }) => {
    const timing = timingOf({ intervalMs, failures })
    const { probeTimeoutMs } = timing
    const times = {
      timing,
      cutAt: cut * intervalMs,
      rttMs: rtt * probeTimeoutMs,
      failMs: fail * probeTimeoutMs,
    }
    return {
      leader: {
        ...times,
        self: 'h1',
        phase: phases.leaderPhase * intervalMs,
        pingPhase: phases.leaderPings * probeTimeoutMs,
        pingsOnly: false,
      },
      follower: {
        ...times,
        self: 'h2',
        phase: phases.followerPhase * intervalMs,
        pingPhase: phases.followerPings * probeTimeoutMs,
        pingsOnly,
      },
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

test('a follower promotes within the promote time and half an interval of the cut', () => {
  fc.assert(
    fc.property(cuts, ({ follower }) => {
      const { timing, cutAt } = follower
      const at = firstTime(follower, gone)
      expect(at).toBeGreaterThanOrEqual(cutAt + timing.fenceMs - timing.probeTimeoutMs - GRAIN)
      expect(at).toBeLessThanOrEqual(cutAt + timing.promoteMs + timing.probeTimeoutMs + GRAIN)
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
