import { expect, test } from 'vitest'
import { decide } from '../../src/pair/fsm.ts'
import { type Attempt, needsPowerOff, POWER_STEPS, powerStep } from '../../src/pair/power.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, product, saying } from '../support/worlds.ts'

const OFF = { kind: 'ended', off: true, text: 'off' } as const
const ON = { kind: 'ended', off: false, text: 'on' } as const
const SILENT = { kind: 'silent', why: 'no answer' } as const

const ATTEMPTS = product<Attempt>({
  status: [null, OFF, ON, SILENT],
  ordered: [null, OFF, ON, SILENT],
  heard: [true, false],
  lied: [true, false],
  over: [true, false],
})

test('a peer is proven off by an answer that says so, and by nothing else', () => {
  const proven = ATTEMPTS.filter((attempt) => powerStep(attempt).step === 'proven')
  expect(proven.length).toBeGreaterThan(0)
  expect(proven.filter(({ status, heard, lied }) => status !== OFF || heard || lied)).toEqual([])
})

test('no answer, neither to the order nor to the question, is a proof or asked again (A4)', () => {
  const silent = ATTEMPTS.filter(({ status }) => status === SILENT)
  expect(new Set(silent.map((attempt) => powerStep(attempt).step))).toEqual(new Set(['no proof']))
  const refused = ATTEMPTS.filter(({ ordered, status }) => ordered === SILENT && status === ON)
  expect(new Set(refused.map((attempt) => powerStep(attempt).step))).toEqual(new Set(['no proof']))
})

test('each row is reached, and an attempt whose time is over ends', () => {
  const reached = new Set(ATTEMPTS.map((attempt) => powerStep(attempt).id))
  expect([...reached].toSorted()).toEqual(POWER_STEPS.map(({ id }) => id).toSorted())
  const late = ATTEMPTS.filter(
    ({ over, status, ordered }) => over && status === ON && ordered === ON,
  )
  expect(late.map((attempt) => powerStep(attempt).step)).not.toContain('status')
})

const FENCING = {
  partition: 'consistency',
  acceptLossBytes: 0,
  fencing: { followerDelayMs: 3_000 },
} as const
const GONE = { contact: 'gone' } as const

test('B6 under fencing: each goes on by the power-off of the other, the follower later; who does not see the gateway does not try', () => {
  const leader = { policy: FENCING, peer: GONE, stream: 'lost' } as const
  const follower = { ...leader, self: 'h2', promotable: true } as const
  expect(decide(healthy(leader)).rule).toBe('go-alone-fenced')
  expect(decide(healthy({ ...leader, gateway: 'down' })).rule).toBe('cut-off')
  expect(decide(healthy({ ...leader, powerHeld: true })).rule).toBe('power-off-missing')
  expect(decide(healthy(follower)).rule).toBe('promote-fenced')
  expect(decide(healthy({ ...follower, longGone: false })).rule).toBe('power-off-wanted')
  expect(decide(healthy({ ...follower, powerHeld: true })).rule).toBe('power-off-wanted')
  expect(decide(healthy({ ...follower, gateway: 'down' })).rule).toBe('isolated')
  expect(decide(healthy({ ...follower, promotable: false })).rule).toBe('no-proof')
})

test('A5: after a boot no power-off lets a leader lead, for it says nothing of what was before', () => {
  const booted = { policy: FENCING, peer: GONE, stream: 'lost', proven: false } as const
  expect(decide(healthy(booted)).goal).toBe('impair')
  expect(decide(healthy({ ...booted, impaired: true })).rule).toBe('unproven-wait')
})

test('B7, A7: who has a void proof, or gives the lead up by its word, need not be off; an operator says so by force', () => {
  const facts = healthy({ policy: FENCING, peer: GONE })
  const answering = healthy({ policy: FENCING, peer: saying(pairMeta()) })
  const alone = { rule: 'go-alone-voided', goal: 'go-alone' } as const
  const forced = { rule: 'promote-forced', goal: 'promote' } as const
  expect(needsPowerOff(answering, alone, true)).toBe('no')
  expect(needsPowerOff(answering, alone, false)).toBe('proven')
  expect(needsPowerOff(answering, { rule: 'leader-yields', goal: 'promote' }, false)).toBe('no')
  expect(needsPowerOff(facts, forced, false)).toBe('tried')
  expect(needsPowerOff(answering, forced, false)).toBe('no')
  expect(needsPowerOff(healthy(), alone, false)).toBe('no')
})
