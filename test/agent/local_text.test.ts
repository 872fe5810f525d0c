import { describe, expect, test } from 'vitest'
import { newestFitting, standing, timelineLine } from '../../src/agent/local_text.ts'
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

test.each([
  [
    { kind: 'decision', rule: 'promote', goal: 'promote', why: 'the leader is gone' },
    'the leader is gone: this host promotes itself [promote]',
  ],
  [
    { kind: 'meta', leader: 'h2', term: 3, branch: 3, mode: 'alone' },
    'hostMeta: h2 leads, term 3, branch 3, alone',
  ],
  [
    { kind: 'converge', tags: ['role'], outcome: 'failed', ms: 12, message: 'no room' },
    'converge role: failed in 12 ms: no room',
  ],
  [
    { kind: 'decision', rule: 'no-proof', goal: 'stay', why: 'nothing proves it', repeated: 3 },
    /^nothing proves it; the way out: .*`twonode promote --force`.* \(3 times more\) \[no-proof\]$/,
  ],
  [
    { kind: 'decision', rule: 'unproven-wait', goal: 'wait', why: 'fenced' },
    'fenced: this host waits [unproven-wait]',
  ],
  [
    {
      kind: 'converge',
      tags: ['role'],
      outcome: 'failed',
      ms: 12,
      message: 'h1: the leader has not written the marker of its branch yet',
    },
    'converge role: waits for the leader to begin its branch, and is tried again',
  ],
  [
    {
      kind: 'set-aside',
      schema: 'twonode_branch_3_16402',
      why: 'another branch',
      led: { branch: 3, mode: 'alone', since: '2026-11-21T09:00:00.000Z' },
    },
    /kept in PostgreSQL's schema twonode_branch_3_16402.*\(another branch\); this host acknowledged writes alone \(branch 3, since 2026-11-21T09:00:00.000Z or earlier\): they are there, and not in the cluster any more$/,
  ],
  [
    {
      kind: 'set-aside',
      schema: 'twonode_branch_1_16402',
      why: 'another branch',
      led: { branch: 1, mode: 'paired', since: '2026-11-21T09:00:00.000Z' },
    },
    /what it acknowledged the new leader has/,
  ],
  [
    { kind: 'set-aside', schema: 'twonode_branch_1_16402', why: 'another slot', led: null },
    /what of it only this host had is not known$/,
  ],
  [{ kind: 'pause', paused: true }, 'paused by an operator'],
  [{ kind: 'pause', paused: false }, 'resumed by an operator'],
  [
    { kind: 'agent', what: 'booted', seconds: 9 },
    'the agent starts for the first time since the boot; this host booted 9 s before',
  ],
  [
    { kind: 'guard', stopped: '2026-11-21T09:59:57Z' },
    'no agent was heard for the fence time: the guard stopped kine and gave up the virtual address at 2026-11-21T09:59:57Z',
  ],
  [{ kind: 'fault', what: 'disk', message: 'it is full' }, 'fault: disk: it is full'],
  [{ kind: 'proof', term: 3, voided: 2 }, 'proof: term 3, voided to 2'],
])('a line of the journal as people read it: %j', (entry, text) => {
  const line = timelineLine({ at: '2026-11-21T10:00:00.000Z', host: 'h1', ...entry })
  const start = '2026-11-21 10:00:00.000  h1        '
  const words = line.slice(start.length)
  expect(line).toBe(`${start}${words}`)
  expect(text instanceof RegExp ? text.test(words) : words === text, words).toBe(true)
})

test('as many of the last lines go to the peer as fit in a message', () => {
  const lines = Array.from({ length: 100 }, (_, n) => ({ n, text: 'x'.repeat(1_000) }))
  const kept = newestFitting(lines)
  expect(kept.at(-1)).toEqual(lines.at(-1))
  expect(kept).toEqual(lines.slice(-kept.length))
  expect(kept.length).toBeGreaterThan(40)
  expect(kept.length).toBeLessThan(50)
})
