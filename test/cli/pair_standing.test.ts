import { describe, expect, test } from 'vitest'
import type { HostView } from '../../src/cli/host_view.ts'
import { pairStanding } from '../../src/cli/pair_standing.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { pairMeta } from '../support/agent_sightings.ts'

const PAIRED: HostMeta = { ...pairMeta(), lastModified: '2026-11-22T06:38:10.123Z' }
const ALONE: HostMeta = { ...PAIRED, mode: 'alone' }
const CALM = {
  paused: false,
  pauseEnds: null,
  frozen: false,
  impaired: false,
  hearsPeer: true,
  salvagesWaiting: 0,
}
const UP = { postgres: 'active', kine: 'active', agent: 'active' }

function view(name: 'h1' | 'h2', more: Partial<HostView> = {}): HostView {
  return { name, reached: 'yes', meta: PAIRED, agent: CALM, services: UP, ...more }
}

function gone(name: 'h1' | 'h2', reached: 'silent' | 'left-out' = 'silent'): HostView {
  return { name, reached, meta: null, agent: undefined, services: {} }
}

const leads = (leader: 'h1' | 'h2', meta: HostMeta) => ({ ...meta, leader })

describe('one leads', () => {
  test('a pair that is whole is said to be, and nothing is to be done', () => {
    expect(pairStanding([view('h1'), view('h2')])).toEqual({
      kind: 'whole',
      text: 'h1 leads, h2 follows: every write is on both disks',
    })
  })

  test('what a branch that lost had is told until somebody has looked at it, and the pair is whole without it', () => {
    const loser = view('h2', { agent: { ...CALM, salvagesWaiting: 2 } })
    expect(pairStanding([view('h1'), loser])).toEqual({
      kind: 'whole',
      text: 'h1 leads, h2 follows: every write is on both disks; what only h2 had waits to be looked at: `twonode salvage list` there',
    })
  })

  test.each([
    [
      'power on or replace',
      [gone('h1'), view('h2', { meta: leads('h2', ALONE) })],
      'h2 leads alone since 2026-11-22 06:38:10 UTC: writes are on one disk; h1 does not answer: power it on, or `twonode replace --host h1 --for h1` if it is gone for good',
    ],
    [
      'start its agent',
      [
        view('h1', { meta: ALONE }),
        view('h2', { meta: ALONE, agent: undefined, services: { ...UP, agent: 'inactive' } }),
      ],
      'the agent of h2 is inactive: `systemctl start twonode-agent` there',
    ],
    [
      'look at its PostgreSQL',
      [
        view('h1', { meta: ALONE }),
        view('h2', { meta: ALONE, services: { ...UP, postgres: 'failed' } }),
      ],
      'PostgreSQL of h2 is failed',
    ],
    [
      'start its PostgreSQL',
      [
        view('h1', { meta: ALONE }),
        view('h2', { meta: ALONE, services: { ...UP, postgres: 'inactive' } }),
      ],
      'PostgreSQL of h2 is stopped: `systemctl start postgresql` there',
    ],
    [
      'mend the network',
      [
        view('h1', { meta: ALONE, agent: { ...CALM, hearsPeer: false } }),
        view('h2', { meta: ALONE, agent: { ...CALM, hearsPeer: false } }),
      ],
      'the agents of h1 and h2 do not hear each other: mend the network between them',
    ],
    [
      'wait',
      [view('h1', { meta: ALONE }), view('h2', { meta: ALONE })],
      'h2 is to follow again by itself',
    ],
    [
      'resume',
      [view('h1', { meta: ALONE, agent: { ...CALM, frozen: true } }), view('h2', { meta: ALONE })],
      'h1 is frozen by too many changes of leader or mode in an hour: mend their cause, then `twonode resume` on h1',
    ],
  ])('alone: %s', (_, views, text) => {
    const { kind, text: said } = pairStanding(views)
    expect(kind).toBe('one-disk')
    expect(said).toContain(text)
    expect(said).toContain('writes are on one disk')
  })

  test.each([
    ['a pause', view('h2', { agent: { ...CALM, paused: true } }), '`twonode resume` on h2'],
    [
      'a pause with an end',
      view('h2', { agent: { ...CALM, paused: true, pauseEnds: 'until 17:30 UTC, 42 min left' } }),
      'paused by an operator (until 17:30 UTC, 42 min left)',
    ],
    ['the flap guard', view('h2', { agent: { ...CALM, frozen: true } }), '`twonode resume` on h2'],
    ['a host that is silent', gone('h2'), 'h2 could not be looked at'],
    [
      'an agent that is stopped',
      view('h2', { agent: undefined, services: { ...UP, agent: 'inactive' } }),
      'the agent of h2 is inactive',
    ],
  ])('a pair that %s would keep from a failover is at risk', (_, other, text) => {
    const { kind, text: said } = pairStanding([view('h1'), other])
    expect(kind).toBe('at-risk')
    expect(said).toContain(text)
  })

  test('with --limit the other host is no reason for a finding', () => {
    expect(pairStanding([view('h1'), gone('h2', 'left-out')])).toEqual({
      kind: 'whole',
      text: 'h1 leads, paired with h2, which was not looked at',
    })
    expect(pairStanding([gone('h1', 'left-out'), view('h2')])).toEqual({
      kind: 'unknown',
      text: 'who leads is not known: h2 follows h1, h1 was not looked at',
    })
  })
})

test('two leaders are said in capitals, with who stays and whose writes are set aside', () => {
  const older = { ...ALONE, lastModified: '2026-11-22T06:38:06Z' }
  const promoted = { ...leads('h2', ALONE), branch: 9, term: 9 }
  const standing = pairStanding([view('h1', { meta: older }), view('h2', { meta: promoted })])
  expect(standing.kind).toBe('both')
  expect(standing.text).toMatch(/^BOTH LEAD: h1 since 2026-11-22 06:38:06 UTC, h2 since .*06:38:10/)
  expect(standing.text).toContain('h2 then goes on leading, and what only h1 acknowledged is set')
})

test('a kine that reads its settings again serves: two leaders are seen in the moment of the change', () => {
  const promoted = { ...leads('h2', ALONE), branch: 9, term: 9 }
  const services = { ...UP, kine: 'reloading' }
  const views = [view('h1', { meta: ALONE }), view('h2', { meta: promoted, services })]
  expect(pairStanding(views).kind).toBe('both')
})

describe('nobody serves', () => {
  test.each([
    [
      'the leader is gone and its follower is paused',
      [gone('h1'), view('h2', { agent: { ...CALM, paused: true, hearsPeer: false } })],
      'nobody serves: h1 does not answer, h2 follows h1 and is paused; `twonode resume` on h2, or power h1 on, or if h1 will not come back `twonode promote --force` on h2',
    ],
    [
      'both agents were stopped',
      ['h1', 'h2'].map((name) =>
        view(name as 'h1', {
          agent: undefined,
          services: { ...UP, kine: 'inactive', agent: 'inactive' },
        }),
      ),
      'h1 leads, but its kine is inactive, h2 follows h1; `systemctl start twonode-agent` on h1 and on h2',
    ],
    [
      'the leader came back fenced, and its peer has not',
      [view('h1', { agent: { ...CALM, impaired: true, hearsPeer: false } }), gone('h2')],
      'h1 leads, but it has stopped taking writes, h2 does not answer; power h2 on, or if h2 will not come back `twonode promote --force` on h1',
    ],
    [
      'there is no pair yet',
      [view('h1', { meta: null }), view('h2', { meta: null })],
      'there is no pair yet: `twonode converge` makes one',
    ],
  ])('%s', (_, views, text) => {
    const standing = pairStanding(views)
    expect(standing.kind).toBe('nobody')
    expect(standing.text).toMatch(/^nobody serves: /)
    expect(standing.text).toContain(text)
  })
})

test.each([
  ['neither host could be looked at', [gone('h1'), gone('h2')], 'neither host'],
  [
    'the follower hears a leader that the laptop does not reach',
    [gone('h1'), view('h2')],
    'the agent of h2, which follows it, hears it',
  ],
])('nothing is claimed when %s', (_, views, text) => {
  const standing = pairStanding(views)
  expect(standing.kind).toBe('unknown')
  expect(standing.text).toContain(text)
})
