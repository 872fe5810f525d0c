import { expect, test } from 'vitest'
import type { Facts } from '../../src/pair/facts.ts'
import { whyNotPromoted, whyNotSwitched } from '../../src/pair/request_refusal.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'

const META = pairMeta()
const LEADER = healthy({ meta: META, peer: saying(META, { proofTerm: META.term }) })
const FOLLOWER: Facts = { ...LEADER, self: 'h2' }

test.each<[string, Facts, RegExp, RegExp]>([
  ['on the follower', FOLLOWER, /this host follows: h1 leads/, /Run it on h1/],
  [
    'to a peer that is gone',
    { ...LEADER, peer: { contact: 'gone' } },
    /h2 does not answer/,
    /well/,
  ],
  [
    'of a leader that is alone',
    { ...LEADER, meta: pairMeta({ mode: 'alone' }) },
    /h1 leads alone: h2 has not everything/,
    /timeline/,
  ],
  [
    'to a follower that is not settled',
    { ...LEADER, peer: saying(META, { settled: false }) },
    /h2 is not ready to lead/,
    /few seconds/,
  ],
  [
    'to a follower that copies',
    { ...LEADER, peer: saying(META, { whole: false }) },
    /h2 does not have the whole table of h1/,
    /copy/,
  ],
  [
    'to a follower that is behind',
    { ...LEADER, stream: 'behind' },
    /h2 is behind h1/,
    /few seconds/,
  ],
  [
    'to a follower that is paused',
    { ...LEADER, peer: saying(META, { proofTerm: META.term, paused: true }) },
    /h2 is paused by an operator/,
    /`twonode resume` on h2 first/,
  ],
  [
    'with PostgreSQL down',
    { ...LEADER, postgres: 'failed' },
    /PostgreSQL of h1 is down/,
    /journal/,
  ],
  ['with a full disk', { ...LEADER, disk: 'full' }, /disk of h1 is full/, /room/],
])('a switchover %s says why not, and what to do', (_, facts, message, hint) => {
  const refused = whyNotSwitched(facts)
  expect(refused?.message).toMatch(message)
  expect(refused?.hint).toMatch(hint)
})

test.each<[string, Facts, RegExp, RegExp]>([
  ['on the leader', LEADER, /h1 leads already/, /Nothing is to be done/],
  [
    'on a leader that is fenced',
    { ...LEADER, impaired: true },
    /h1 leads, and has stopped taking writes: h2 may lead/,
    /promote --force/,
  ],
  [
    'on a leader of whose commits nobody takes note',
    { ...LEADER, stream: 'lost', peer: { contact: 'gone' } },
    /h1 leads, and its writes wait for h2, which is silent/,
    /promote --force` lets it go on alone/,
  ],
  ['while the leader answers', FOLLOWER, /h1 leads, and answers/, /switchover` on h1/],
  [
    'too early',
    { ...FOLLOWER, peer: { contact: 'silent' } },
    /h1 leads, and has not been silent for long enough/,
    /few seconds/,
  ],
  [
    'without the proof',
    { ...FOLLOWER, peer: { contact: 'gone' }, promotable: false },
    /nothing proves that h2 has everything that h1 acknowledged/,
    /Bring h1 back; .*--force/,
  ],
  [
    'with PostgreSQL starting',
    { ...FOLLOWER, postgres: 'starting', peer: { contact: 'gone' } },
    /PostgreSQL of h2 is starting/,
    /journal/,
  ],
])('a promotion %s says why not, and what to do', (_, facts, message, hint) => {
  const refused = whyNotPromoted(facts, false)
  expect(refused?.message).toMatch(message)
  expect(refused?.hint).toMatch(hint)
})

test('one by force has words only for what force can not change', () => {
  expect(whyNotPromoted({ ...FOLLOWER, promotable: false }, true)).toBeNull()
  expect(whyNotPromoted({ ...FOLLOWER, disk: 'full' }, true)?.message).toMatch(/disk/)
  expect(whyNotPromoted(LEADER, true)?.message).toMatch(/leads already/)
})

test('a host without hostMeta leaves it to the rules', () => {
  expect(whyNotSwitched({ ...LEADER, meta: null })).toBeNull()
  expect(whyNotPromoted({ ...LEADER, meta: null }, false)).toBeNull()
})
