import { expect, test } from 'vitest'
import { leadsOnText, mayLose, promotionRisk, riskText } from '../../src/pair/promotion_risk.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'

const META = pairMeta()
const FOLLOWER = { ...healthy({ meta: META, peer: { contact: 'gone' } }), self: 'h2' }

test('18: a follower that has everything loses nothing', () => {
  const risk = promotionRisk({ ...FOLLOWER, promotable: true }, 12_000)
  if (risk === null) throw new Error('it follows')
  expect(riskText(risk)).toEqual([
    'h1 was heard 12 s ago, and led a pair',
    'h2 has everything that h1 acknowledged in the pair: nothing is lost',
  ])
  expect(mayLose(risk, 'promote')).toBe(false)
})

test.each([
  [4_096, 'h2 was 4096 bytes behind h1 then'],
  [null, 'nobody knows how far h2 is behind h1'],
])('18: without the proof what is at risk is said: %s bytes', (lagBytes, words) => {
  const alone = pairMeta({ mode: 'alone', term: 3 })
  const facts = { ...FOLLOWER, meta: alone, promotable: false, lagBytes }
  const risk = promotionRisk(facts, 300_000)
  if (risk === null) throw new Error('it follows')
  expect(riskText(risk)).toEqual([
    'h1 was heard 300 s ago, and led alone',
    words,
    expect.stringMatching(/^what h1 acknowledged and h2 does not have would not be in the cluster/),
  ])
  expect([mayLose(risk, 'promote-forced'), mayLose(risk, 'promote-lagging')]).toEqual([true, true])
  expect(mayLose(risk, 'handed-back'), 'who gives the lead back has written nothing').toBe(false)
})

test('a leader that answers is said not to be dead, and one that was never heard is', () => {
  const answering = promotionRisk({ ...FOLLOWER, promotable: false, peer: saying(META) }, 0)
  const never = promotionRisk({ ...FOLLOWER, promotable: false }, null)
  if (answering === null || never === null) throw new Error('it follows')
  expect(riskText(answering)[0]).toBe('h1 answers now, and led a pair: it is not dead')
  expect(riskText(never)[0]).toMatch(/^h1 was never heard since the agent of h2 began/)
})

test('a leader has nobody to lose anything of', () => {
  expect(promotionRisk({ ...FOLLOWER, self: 'h1' }, 0)).toBeNull()
  expect(promotionRisk({ ...FOLLOWER, meta: null }, 0)).toBeNull()
})

test('a leader that leads on by a word alone is told what that may cost; one that serves has nothing to be asked (A5)', () => {
  const leader = { ...FOLLOWER, self: 'h1' }
  const stopped = { ...leader, proven: false, impaired: true }
  expect(leadsOnText(stopped, 12_000)).toEqual([
    'h2 was heard 12 s ago',
    'if h2 leads by now, both take writes until they hear of each other',
    expect.stringMatching(/^what only the one of the older term took would not be in the cluster/),
  ])
  const waits = { ...leader, stream: 'lost' as const }
  expect(leadsOnText(waits, null)?.[0]).toBe('h2 was never heard since the agent of h1 began')
  expect(leadsOnText({ ...leader, peer: saying(META) }, 0)).toBeNull()
  expect(leadsOnText({ ...stopped, disk: 'full' }, 0), 'it would be refused').toBeNull()
  expect(leadsOnText(FOLLOWER, 0), 'a follower risks what the leader acknowledged').toBeNull()
})
