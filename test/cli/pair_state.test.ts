import { describe, expect, test } from 'vitest'
import { decidePair } from '../../src/cli/pair_state.ts'
import { hostMetaText as meta } from './support/host_meta_text.ts'
import { SITE } from './support/scripted_pair.ts'

const FIRST = { leader: 'h1', branch: 1, slot: 'h2_1_1', began: 'first', fork: null }

function decide(h1: string | null, h2: string | null) {
  return decidePair(SITE, [
    { host: 'h1', hostMeta: h1 },
    { host: 'h2', hostMeta: h2 },
  ])
}

describe('who leads', () => {
  test('a pair that never was begins with initialLeader, alone, in term and branch 1', () => {
    expect(decide(null, null)).toEqual({
      pair: { ...FIRST, term: 1, mode: 'alone' },
      notes: [],
      disagreement: undefined,
    })
  })

  test("a follower's name with dashes still gives a slot name that PostgreSQL takes", () => {
    const [first, second] = SITE.hosts
    const site = { ...SITE, hosts: [first, { ...second, name: 'edge-b' }] as const }
    expect(decidePair(site, []).pair.slot).toBe('edge_b_1_1')
  })

  test.each([
    [meta(), null],
    [null, meta()],
    [meta(), meta()],
  ])('hostMeta decides if either host has one', (h1, h2) => {
    const { pair, disagreement } = decide(h1, h2)
    expect(pair).toEqual({ ...FIRST, term: 2, mode: 'paired' })
    expect(disagreement).toBeUndefined()
  })

  test('an initialLeader that differs is a remark', () => {
    const promoted = meta({ leader: 'h2', term: 3, branch: 3 })
    const { pair, notes, disagreement } = decide(promoted, promoted)
    expect(pair.leader).toBe('h2')
    expect(notes.map(({ level }) => level)).toEqual(['info'])
    expect(disagreement).toBeUndefined()
  })

  test('a host that is a term behind under the same leader is a warning, and the newer one counts', () => {
    const { pair, notes, disagreement } = decide(meta(), meta({ term: 1, mode: 'alone' }))
    expect(pair.term).toBe(2)
    expect(notes.map(({ message }) => message)).toEqual([
      'hostMeta of h2 is behind: branch 1, term 1 against branch 1, term 2',
    ])
    expect(disagreement).toBeUndefined()
  })
})

describe('what the laptop does not settle', () => {
  test('two leaders: the higher branch is shown, and nothing may be changed', () => {
    const { pair, disagreement } = decide(meta(), meta({ leader: 'h2', term: 5, branch: 5 }))
    expect(pair.leader).toBe('h2')
    expect(disagreement).toBe(
      'the hosts disagree about who leads: h1 says h1 (branch 1, term 2), h2 says h2 (branch 5, term 5)',
    )
  })

  test('a hostMeta of another site, torn or empty', () => {
    expect(decide(meta({ site: 'other' }), null).disagreement).toContain('is of site other')
    expect(decide(meta().slice(0, 40), null).disagreement).toContain(
      'hostMeta of h1 can not be read',
    )
    expect(decide(meta(), '').disagreement).toContain('hostMeta of h2 can not be read')
  })

  test('a leader that the inventory does not know', () => {
    const hosts = [
      { name: 'h9', address: '10.0.0.19', role: 'leader' as const },
      { name: 'h2', address: '10.0.0.12', role: 'follower' as const },
    ]
    expect(decide(meta({ leader: 'h9', hosts }), null).disagreement).toContain('names h9 as leader')
  })
})
