import { describe, expect, test } from 'vitest'
import { newestFitting, standing, statusText, timelineLine } from '../../src/agent/local_text.ts'
import { SAYS } from '../support/agent_sightings.ts'
import { metaOf } from './support/metas.ts'

describe('what systemctl status shows of an agent', () => {
  test.each([
    ['h1', {}, 'leader, paired, term 3'],
    ['h2', {}, 'follower of h1, paired, term 3'],
    ['h1', { impaired: true, settled: false }, 'leader, paired, term 3, impaired, not settled'],
    ['h2', { paused: true }, 'follower of h1, paired, term 3, paused'],
    ['h2', { meta: null }, 'no hostMeta'],
  ])('%s, %j: %s', (self, more, text) => {
    expect(standing(self, { ...SAYS, meta: metaOf({ term: 3 }), ...more })).toBe(text)
  })
})

test('a status is one property a line, in words', () => {
  expect(statusText({ proofTerm: 3, paused: false, meta: null })).toBe(
    'proof term  3\npaused      no\nmeta        –',
  )
})

test.each([
  [
    { kind: 'decision', rule: 'promote', goal: 'promote', why: 'the leader is gone' },
    'promote: promote, the leader is gone',
  ],
  [
    { kind: 'meta', leader: 'h2', term: 3, branch: 3, mode: 'alone' },
    'hostMeta: h2 leads, term 3, branch 3, alone',
  ],
  [
    { kind: 'converge', tags: ['role'], outcome: 'failed', ms: 12, message: 'no room' },
    'converge role: failed in 12 ms: no room',
  ],
  [{ kind: 'fault', what: 'disk', message: 'it is full' }, 'fault: disk: it is full'],
  [{ kind: 'proof', term: 3, voided: 2 }, 'proof: term 3, voided to 2'],
])('a line of the journal as people read it: %j', (entry, text) => {
  const line = timelineLine({ at: '2026-11-21T10:00:00.000Z', host: 'h1', ...entry })
  expect(line).toBe(`2026-11-21 10:00:00.000  h1        ${text}`)
})

test('as many of the last lines go to the peer as fit in a message', () => {
  const lines = Array.from({ length: 100 }, (_, n) => ({ n, text: 'x'.repeat(1_000) }))
  const kept = newestFitting(lines)
  expect(kept.at(-1)).toEqual(lines.at(-1))
  expect(kept).toEqual(lines.slice(-kept.length))
  expect(kept.length).toBeGreaterThan(40)
  expect(kept.length).toBeLessThan(50)
})
