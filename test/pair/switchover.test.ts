import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { begunFrom, judgeSwitchover, planText, proofText } from '../../src/pair/switchover.ts'

const PLAN = { from: 'h1', to: 'h2', term: 2 }
const LEADS = { leader: 'h1', term: 2, branch: 1, mode: 'paired', settled: 'yes', keptAside: [] }
const BEGUN = begunFrom(PLAN, LEADS)
const FOLLOWS: JsonObject = {
  leader: 'h2',
  term: 4,
  branch: 3,
  mode: 'paired',
  settled: 'yes',
  promotable: true,
  keptAside: [],
  began: 'handover',
  fork: { max: 1_234 },
}
const line = (host: string, upMs: number, tag: string, ms: number): JsonObject => ({
  host,
  upMs,
  kind: 'converge',
  tags: [tag],
  outcome: 'done',
  ms,
})
const ACCOUNT = [
  line('h2', 50_200, 'handover', 100),
  line('h1', 90_400, 'handover', 300),
  line('h2', 51_300, 'role', 600),
]

test('the plan says who will lead, and what it costs', () => {
  expect(planText(PLAN).join('\n')).toMatch(/h1 leads and h2 follows.*\n.*\n.*no copy.*\n.*2 s/)
})

test('while both stand still, and until they are a pair again, it goes on', () => {
  expect(judgeSwitchover(BEGUN, { ...LEADS, settled: 'due' }, [])).toMatchObject({ kind: 'going' })
  for (const not of [{ mode: 'alone' }, { settled: 'due' }, { promotable: false }, { fork: null }])
    expect(judgeSwitchover(BEGUN, { ...FOLLOWS, ...not }, ACCOUNT)).toMatchObject({ kind: 'going' })
})

test('its proof is the terms, the revisions, and how long nobody could write by one clock', () => {
  const verdict = judgeSwitchover(BEGUN, FOLLOWS, ACCOUNT)
  expect(verdict).toEqual({
    kind: 'done',
    proof: {
      leader: 'h2',
      follower: 'h1',
      term: 4,
      branch: 3,
      handedOver: true,
      gapMs: 1_200,
      revision: { before: 1_234, after: 1_235 },
      copied: false,
    },
  })
  if (verdict.kind !== 'done') throw new Error(verdict.kind)
  expect(proofText(verdict.proof)).toEqual([
    'h2 leads in term 4, branch 3; h1 follows, and could take over',
    'writes stood still for 1.2 s at most, by its clock',
    'nobody wrote when both tables were compared, and they were equal',
    "revision 1234 before, 1235 after: the new branch's marker",
    'nothing was copied',
  ])
})

test('a copy is told, and an account that was not heard leaves the time out', () => {
  const verdict = judgeSwitchover(BEGUN, { ...FOLLOWS, keptAside: ['twonode_branch_3_1'] }, [])
  expect(verdict).toMatchObject({ proof: { copied: true, gapMs: null } })
})

test('25: a leader that fell silent half-way, so that the other one promoted itself, has handed nothing over: nothing is told of equal tables, nor of a revision that did not jump', () => {
  const promoted = { ...FOLLOWS, began: 'promotion' }
  const verdict = judgeSwitchover(BEGUN, promoted, [line('h1', 90_400, 'handover', 300)])
  if (verdict.kind !== 'done') throw new Error(verdict.kind)
  expect(proofText(verdict.proof)).toEqual([
    'h2 leads in term 4, branch 3; h1 follows, and could take over',
    'h1 did not hand over: it fell silent, and h2 promoted itself as after a failure',
    'nothing was copied',
  ])
})

test.each<[string, JsonObject, readonly JsonObject[], RegExp]>([
  [
    'the follower could not',
    LEADS,
    [{ host: 'h1', kind: 'fault', what: 'hand-over', message: 'the digests differ' }],
    /^the digests differ$/,
  ],
  ['the lead was given back', { ...LEADS, term: 5 }, [], /^h1 leads in term 5$/],
])('25: when %s, the old leader leads on', (_, status, account, why) => {
  const verdict = judgeSwitchover(BEGUN, status, account)
  expect(verdict).toMatchObject({ kind: 'back', why: expect.stringMatching(why) as string })
  const settling = judgeSwitchover(BEGUN, { ...status, settled: 'due' }, account)
  expect(settling, 'not before it serves').toMatchObject({ kind: 'going' })
})
