import { expect, test } from 'vitest'
import type { Facts } from '../../src/pair/facts.ts'
import { unfitNewcomer, whyNotReplaced } from '../../src/pair/replacement.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy } from '../support/worlds.ts'

const ALONE = healthy({
  meta: pairMeta({ mode: 'alone' }),
  peer: { contact: 'gone' },
  stream: 'lost',
})
const H3 = { old: 'h2', name: 'h3', address: '10.77.0.13' }
const SAME = { old: 'h2', name: 'h2', address: '10.77.0.12' }

test('a leader that is alone and at rest takes a newcomer for a silent peer, of whatever name (B10)', () => {
  for (const wanted of [H3, SAME]) {
    expect(unfitNewcomer(ALONE, wanted)).toBeNull()
    expect(whyNotReplaced(ALONE, wanted)).toBeNull()
  }
})

test.each<[string, Partial<Facts>, RegExp, RegExp]>([
  ['a pair', { meta: pairMeta() }, /h1 still waits for h2/, /it goes alone/],
  ['a follower', { self: 'h2', meta: pairMeta({ mode: 'alone' }) }, /h2 follows h1/, /Ask h1/],
  ['a peer that was heard just now', { peer: { contact: 'missed' } }, /missed a look/, /Power h2/],
  ['a leader that settles', { settled: 'due' }, /not at rest: .*rule settle/, /settled/],
  ['an impaired leader', { impaired: true }, /not at rest/, /settled/],
])('%s accepts none, and says what is next (B10)', (_, over, message, hint) => {
  const refused = whyNotReplaced({ ...ALONE, ...over }, H3)
  expect(refused?.message).toMatch(message)
  expect(refused?.hint).toMatch(hint)
})

test.each([
  ['somebody else', { ...H3, old: 'h9' }, /'h9' is not the peer of h1/],
  ['the leader itself', { ...H3, old: 'h1' }, /'h1' is not the peer/],
  ["with the leader's name", { ...H3, name: 'h1' }, /h1 leads and stays/],
  ["with the leader's address", { ...H3, address: '10.77.0.11' }, /10\.77\.0\.11 is its own/],
  ['with a name that is none', { ...H3, name: 'H3\n; rm' }, /'H3 ; rm' is no host name/],
  ['with a name for an address', { ...H3, address: 'h3.shop' }, /'h3\.shop' is no IP address/],
])('a request for %s is refused whatever the hosts do', (_, wanted, message) => {
  expect(unfitNewcomer(ALONE, wanted)?.message).toMatch(message)
})
