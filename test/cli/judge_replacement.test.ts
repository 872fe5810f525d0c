import { describe, expect, test } from 'vitest'
import {
  type AgentSays,
  type HostSight,
  judgeReplacement,
  type Replacement,
  replacementOf,
  stillMissing,
} from '../../src/cli/judge_replacement.ts'
import { type HostMeta, serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { SITE } from './support/scripted_pair.ts'

const PAIR: HostMeta = {
  format: 1,
  site: 'edge',
  term: 3,
  branch: 1,
  mode: 'alone',
  leader: 'h1',
  slot: 'h2_1_1',
  began: 'first',
  fork: null,
  hosts: [
    { name: 'h1', address: '10.0.0.11', role: 'leader' },
    { name: 'h2', address: '10.0.0.12', role: 'follower' },
  ],
  controlPlaneEndpoint: '10.0.0.10:6443',
  lastModified: '2026-11-21T00:00:00Z',
}
const ALONE: AgentSays = {
  mode: 'alone',
  peer: 'gone',
  settled: 'yes',
  promotable: false,
  stream: 'lost',
}
const BARE: HostSight = { hostMeta: null, agent: null, kineRows: null }
/** New hardware under the old name. */
const SAME: Replacement = {
  site: SITE,
  host: 'h2',
  address: '10.0.0.12',
  old: 'h2',
  survivor: 'h1',
}
const OTHER: Replacement = { ...SAME, host: 'h3', address: '10.0.0.13' }

function host(meta: Partial<HostMeta> = {}, agent: Partial<AgentSays> | null = {}): HostSight {
  return {
    hostMeta: serialiseHostMeta({ ...PAIR, ...meta }),
    agent: agent === null ? null : { ...ALONE, ...agent },
    kineRows: 100,
  }
}

/** hostMeta in which h3 has taken h2's place. */
const TAKEN_IN = {
  term: 4,
  hosts: [
    { name: 'h1', address: '10.0.0.11', role: 'leader' },
    { name: 'h3', address: '10.0.0.13', role: 'follower' },
  ],
} as const

/** The refusal and what to do next, or the kind of the verdict. */
function judged(replacement: Replacement, survivor: HostSight, newcomer: HostSight = BARE): string {
  const verdict = judgeReplacement(replacement, { survivor, newcomer })
  return verdict.kind === 'refused'
    ? `${verdict.error.code} ${verdict.error.message} | ${verdict.error.hint}`
    : verdict.kind
}

describe('a replacement (B10)', () => {
  test.each([SAME, OTHER])(
    'may be asked for while the leader is alone and the old one silent',
    (replacement) => {
      for (const peer of ['silent', 'cut', 'gone'])
        expect(judged(replacement, host({}, { peer }))).toBe('ask')
    },
  )

  test.each([SAME, OTHER])('is refused while the old one answers', (replacement) => {
    const said = judged(replacement, host({ mode: 'paired' }, { mode: 'paired', peer: 'answers' }))
    expect(said).toMatch(/^E_REPLACEMENT h2 answers h1: .*Power h2 off/)
  })

  test('waits for what the leader brings about by itself', () => {
    for (const agent of [{ peer: 'missed' }, { mode: 'paired' }, { settled: 'due' }] as const)
      expect(judged(SAME, host({}, agent))).toBe('later')
  })

  test('is for a leader to accept: a follower that could not promote is told how', () => {
    const hosts = PAIR.hosts.map(
      (one) => ({ ...one, role: one.name === 'h2' ? 'leader' : 'follower' }) as const,
    )
    const said = judged(OTHER, host({ leader: 'h2', hosts }))
    expect(said).toMatch(/h1 follows h2.*promote --force/)
  })

  test('needs an agent and a pair', () => {
    expect(judged(SAME, host({}, null))).toMatch(/no agent answers on h1.*systemctl status/)
    expect(judged(SAME, BARE)).toMatch(/h1 has no hostMeta/)
    expect(judged({ ...SAME, old: 'h9', host: 'h3' }, host())).toMatch(
      /pair is h1 and h2, and has no h9.*--for h2/,
    )
  })

  test('takes no machine of another pair, and none that holds its data', () => {
    expect(judged(SAME, host(), host({ site: 'shop' }))).toMatch(/h2 is a host of site shop/)
    expect(judged(SAME, host(), { ...BARE, hostMeta: 'torn' })).toMatch(
      /hostMeta of h2 can not be read/,
    )
    expect(judged(OTHER, host(), { ...BARE, kineRows: 12 })).toMatch(/kine with 12 rows.*dropdb/)
    expect(judged(OTHER, host(), { ...BARE, kineRows: 0 }), 'cut while it was converged').toBe(
      'ask',
    )
  })

  test('that was cut goes on where it was', () => {
    expect(judged(OTHER, host(TAKEN_IN)), 'accepted, and still bare').toBe('accepted')
    expect(judged(OTHER, host(TAKEN_IN), host(TAKEN_IN, null)), 'half converged').toBe('accepted')
    expect(judged(SAME, host({ term: 4 }), host({ term: 4 }, null))).toBe('accepted')
    expect(judged(SAME, host({ term: 4 })), 'accepted under the same name, and still bare').toBe(
      'ask',
    )
    const whole = [
      host({ term: 5, mode: 'paired' }, { mode: 'paired', peer: 'answers' }),
      host({ term: 5 }),
    ] as const
    expect(judged(SAME, ...whole)).toBe('member')
  })

  test('is asked for again when the inventory has another address since', () => {
    const moved = { ...OTHER, address: '10.0.0.14' }
    expect(judgeReplacement(moved, { survivor: host(TAKEN_IN), newcomer: BARE })).toEqual({
      kind: 'ask',
      old: 'h3',
      term: 4,
    })
  })
})

test('what a pair still lacks is named until it lacks nothing', () => {
  const paired = { term: 5, mode: 'paired' } as const
  const leader = { mode: 'paired', peer: 'answers', stream: 'caught-up' } as const
  const steps: readonly [HostSight, HostSight, string | undefined][] = [
    [host({ term: 4 }), BARE, 'no agent answers on h2'],
    [host({ term: 4 }), host({ term: 4 }), "h1 does not hear h2's agent"],
    [host({ term: 4 }, { peer: 'answers' }), host({ term: 3 }), "h2 has not taken h1's hostMeta"],
    [
      host({ term: 4 }, { peer: 'answers' }),
      host({ term: 4 }, { settled: 'due' }),
      'h2 has not settled as a follower',
    ],
    [
      host({ term: 4 }, { peer: 'answers', stream: 'behind' }),
      host({ term: 4 }),
      'h2 has not caught up with h1',
    ],
    [
      host({ term: 4 }, { peer: 'answers', stream: 'caught-up' }),
      host({ term: 4 }),
      'h1 to record the pair',
    ],
    [host(paired, leader), host(paired), 'h2 has no proof yet that it misses nothing'],
    [host(paired, leader), host(paired, { promotable: true }), undefined],
  ]
  for (const [survivor, newcomer, missing] of steps)
    expect(stillMissing(SAME, { survivor, newcomer })).toBe(missing)
})

describe('the names of a replacement', () => {
  const sites = [
    ...parseInventory(
      `sites:
  a: { hosts: [{ name: h1, address: 10.0.0.11 }, { name: h3, address: 10.0.0.13 }] }
  b: { hosts: [{ name: k1, address: 10.0.1.11 }, { name: k2, address: 10.0.1.12 }] }
`,
      'inventory.yaml',
    ).sites.values(),
  ]

  test('say who stays, from the inventory', () => {
    expect(replacementOf(sites, { host: 'h3', old: 'h2' })).toMatchObject({
      host: 'h3',
      address: '10.0.0.13',
      old: 'h2',
      survivor: 'h1',
    })
  })

  test.each([
    ['h4', 'h2', /no host h4 in the inventory/],
    ['h3', 'h1', /h1 is the host that stays beside h3/],
    ['h3', 'k1', /k1 is a host of site b, and h3 of site a/],
    ['h3', '--x; rm', /is no name of a host/],
  ])('%s for %s is refused with exit 2', (host, old, words) => {
    expect(() => replacementOf(sites, { host, old })).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(words) }),
    )
  })
})
