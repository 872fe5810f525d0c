import { describe, expect, test } from 'vitest'
import {
  type Claim,
  CLAIM_FORMAT,
  contested,
  keeping,
  needsClaim,
  owesClaim,
  parseClaim,
  serialiseClaim,
  taking,
} from '../../src/pair/claim.ts'
import type { Facts } from '../../src/pair/facts.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'

/** `5 alone h1`: as the lines of the tables below say it. */
function claimOf(text: string): Claim {
  const [term, mode, holder] = text.split(' ')
  if (mode !== 'alone' && mode !== 'paired') throw new Error(`no claim: ${text}`)
  return {
    format: CLAIM_FORMAT,
    site: 'site',
    term: Number(term),
    mode,
    holder: holder ?? '',
    nonce: 'before',
  }
}

const textOf = ({ term, mode, holder }: Claim) => `${term} ${mode} ${holder}`

describe('who would lead alone: h1 leads a pair in term 5, and h2 has the proof of it (A4)', () => {
  // oxfmt-ignore
  test.each<readonly [string, string, string, string]>([
    // what the witness keeps, who asks, what becomes of it
    ['5 paired h1',  'h1', 'past: 6 alone h1',         'nobody has gone alone since'],
    ['5 paired h1',  'h2', 'past: 6 alone h2',         'nobody has gone alone since'],
    ['3 paired h1',  'h2', 'past: 6 alone h2',         'the witness was down when the pair of term 5 was made'],
    ['3 paired h2',  'h1', 'past: 6 alone h1',         'it was down at a switchover'],
    ['3 alone h1',   'h2', 'past: 6 alone h2',         'h1 was alone, and has paired since: it needs a new claim to go alone again'],
    ['3 alone h1',   'h1', 'own: 6 alone h1',          'no old claim is enough'],
    ['5 alone h1',   'h1', 'own: 6 alone h1',          'no old claim is enough'],
    ['6 alone h1',   'h1', 'own: 7 alone h1',          'it was won and never recorded; what gives it up may be on its way still'],
    ['6 alone h1',   'h2', 'held-by-other',            'h1 may have acknowledged alone since'],
    ['6 alone h2',   'h2', 'own: 7 alone h2',          'its answer was lost'],
    ['6 alone h2',   'h1', 'held-by-other',            'h2 may lead since'],
    ['9 alone h2',   'h1', 'held-by-other',            'h2 may lead since'],
    ['7 paired h1',  'h2', 'newer',                    'h1 has made a pair since, with another host, or this disk is of an earlier day'],
    ['7 paired h2',  'h1', 'newer',                    'this disk is of an earlier day'],
  ])('%s, %s asks: %s, for %s', (kept, self, expected) => {
    const meta = pairMeta({ term: 5 })
    const by = { self, meta, highestTerm: 5, nonce: 'mine', forced: false }
    const found = taking(claimOf(kept), by)
    const more = found.kind === 'swap' ? textOf(found.next) : null
    expect([found.row, more].filter((part) => part !== null).join(': ')).toBe(expected)
  })

  test('a term that anybody has spoken of, or voided, is not used for a claim', () => {
    const meta = pairMeta({ term: 5 })
    const by = { self: 'h1', meta, highestTerm: 8, nonce: 'mine', forced: false }
    expect(taking(claimOf('5 paired h1'), by)).toMatchObject({ next: { term: 9, nonce: 'mine' } })
    expect(taking(claimOf('6 alone h1'), by)).toMatchObject({ row: 'own', next: { term: 9 } })
  })

  test("an operator's word takes it from whoever holds it", () => {
    const meta = pairMeta({ term: 5 })
    const by = { self: 'h1', meta, highestTerm: 5, nonce: 'mine', forced: true }
    expect(taking(claimOf('9 alone h2'), by)).toMatchObject({
      kind: 'swap',
      row: 'forced',
      next: { term: 10, holder: 'h1', mode: 'alone' },
    })
  })
})

describe('a claim is kept true in the background (A4)', () => {
  const PAIRED = pairMeta({ term: 5 })
  const ALONE = pairMeta({ term: 5, mode: 'alone' })
  const follower = (more: Partial<Facts> = {}) =>
    healthy({ self: 'h2', meta: PAIRED, peer: saying(PAIRED, { proofTerm: null }), ...more })

  // oxfmt-ignore
  test.each<readonly [string, string | null, Facts, string | null]>([
    ['a leader that is paired makes the first one',              null,          healthy({ meta: PAIRED }),                       'create: 5 paired h1'],
    ['and takes back its own from when it was alone',            '4 alone h1',  healthy({ meta: PAIRED }),                       'paired: 5 paired h1'],
    ['and its own that it won and did not need',                 '6 alone h1',  healthy({ meta: PAIRED }),                       'paired: 5 paired h1'],
    ['and one from before a switchover',                         '4 paired h2', healthy({ meta: PAIRED }),                       'paired: 5 paired h1'],
    ['and one of a host that was replaced',                      '9 alone h7',  healthy({ meta: PAIRED }),                       'paired: 5 paired h1'],
    ['but none that its follower has won since',                 '6 alone h2',  healthy({ meta: PAIRED }),                       null],
    ['one that is true stays',                                   '5 paired h1', healthy({ meta: PAIRED }),                       null],
    ['a leader whose follower has no proof yet makes none',      null,          healthy({ meta: PAIRED, peer: saying(PAIRED, { proofTerm: null }) }), null],
    ['nor one whose follower is silent: it may have lost it',    null,          healthy({ meta: PAIRED, peer: { contact: 'gone' } }), null],
    ['nor one that is not proven',                               '4 paired h1', healthy({ meta: PAIRED, proven: false }),        null],
    ['nor one by a hostMeta that may be old',                    '4 paired h1', healthy({ meta: PAIRED, metaDoubtful: true }),   null],
    ['a leader that went alone by a void says so',               '4 paired h1', healthy({ meta: ALONE }),                        'alone: 5 alone h1'],
    ['and one that was handed the lead',                         '4 paired h2', healthy({ meta: ALONE }),                        'alone: 5 alone h1'],
    ['but not before it has begun',                              '4 paired h2', healthy({ meta: ALONE, unbegun: 'untouched' }),  null],
    ['and takes nothing from who has won it since',              '7 alone h2',  healthy({ meta: ALONE }),                        null],
    ['a follower whose leader is well gives back what it won',   '6 alone h2',  follower(),                                      'give-back: 5 paired h1'],
    ['but not while its leader is silent',                       '6 alone h2',  follower({ peer: { contact: 'gone' } }),         null],
    ["and not what its leader's hostMeta does not know of",      '6 alone h2',  follower({ peer: saying(ALONE) , meta: pairMeta({ term: 4 }) }), null],
    ['a follower makes none',                                    null,          follower(),                                      null],
  ])('%s (%s)', (_, kept, facts, expected) => {
    const found = keeping(kept === null ? null : claimOf(kept), facts, 'mine')
    expect(found === null ? null : `${found.row}: ${textOf(found.next)}`).toBe(expected)
  })
})

const promotes = (rule: string) => ({ rule, goal: 'promote' }) as const

test('who goes alone by a void proof, is forced, or is given the lead back needs no claim; nobody does under availability', () => {
  const consistency = { policy: { partition: 'consistency', acceptLossBytes: 0 } } as const
  const availability = { policy: { partition: 'availability', acceptLossBytes: 0 } } as const
  const claimed = { rule: 'go-alone-claimed', goal: 'go-alone' } as const
  expect(needsClaim(consistency, claimed, false)).toBe(true)
  expect(needsClaim(consistency, claimed, true)).toBe(false)
  expect(needsClaim(availability, claimed, false)).toBe(false)
  for (const rule of ['promote-claimed', 'promote-asked', 'leader-yields'])
    expect(needsClaim(consistency, promotes(rule), false), rule).toBe(true)
  for (const rule of ['promote-forced', 'handed-back'])
    expect(needsClaim(consistency, promotes(rule), false), rule).toBe(false)
})

describe('what a witness keeps is read strictly', () => {
  const claim = claimOf('5 paired h1')

  test('what is written is read again', () => {
    expect(parseClaim(serialiseClaim(claim), 'site')).toEqual(claim)
  })

  // oxfmt-ignore
  test.each([
    ['',                                                          'what it keeps is no claim'],
    ['<html>404</html>',                                          'what it keeps is no claim'],
    ['[]',                                                        'what it keeps is no claim'],
    [' '.repeat(4096) + '{}',                                     'what it keeps is no claim'],
    ['{"format":2}',                                              "the claim's format is not 1"],
    [serialiseClaim({ ...claim, site: 'other' }),                 'the claim is of site "other", not site'],
    [serialiseClaim({ ...claim, term: 0 }),                       'the claim is torn, or none of ours'],
    [serialiseClaim({ ...claim, term: 1.5 }),                     'the claim is torn, or none of ours'],
    [serialiseClaim({ ...claim, holder: '' }),                    'the claim is torn, or none of ours'],
    [serialiseClaim(claim).replace('paired', 'halfway'),          'the claim is torn, or none of ours'],
    [serialiseClaim(claim).replace('"mode"', '"more":1,"mode"'),  'the claim is torn, or none of ours'],
  ])('%s', (text, message) => {
    expect(() => parseClaim(text, 'site')).toThrow(message)
  })
})

describe('h2 leads alone in term 6, by force while the witness was silent', () => {
  const FORCED = pairMeta({ term: 6, branch: 6, leader: 'h2', mode: 'alone' })
  const facts = (meta = FORCED) => healthy({ self: 'h2', meta, peer: { contact: 'gone' } })

  test('its claim is owed until it was seen to say so, and made when the witness answers (A4)', () => {
    expect(owesClaim(facts(), 5)).toBe(true)
    expect(owesClaim(facts(), 6)).toBe(false)
    expect(owesClaim(facts(pairMeta({ term: 6, leader: 'h2' })), 5)).toBe(false)
    expect(owesClaim(facts(pairMeta({ term: 6, mode: 'alone' })), 5)).toBe(false)
    expect(keeping(claimOf('5 paired h1'), facts(), 'mine')).toMatchObject({
      row: 'alone',
      next: { term: 6, mode: 'alone', holder: 'h2' },
    })
  })

  test('what the other host has won meanwhile stays its own, and is told (A4, A5)', () => {
    for (const kept of ['6 alone h1', '7 alone h1']) {
      expect(keeping(claimOf(kept), facts(), 'mine')).toBeNull()
      expect(contested(claimOf(kept), facts())).toContain('h1 has won it meanwhile')
    }
    for (const kept of ['5 alone h1', '6 alone h2', '6 paired h1', '6 alone h9'])
      expect(contested(claimOf(kept), facts())).toBeNull()
    expect(contested(claimOf('6 alone h1'), facts(pairMeta({ term: 6 })))).toBeNull()
  })
})
