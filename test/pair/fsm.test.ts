import { expect, test } from 'vitest'
import { decide, SIGHT_TABLE, type SightRow } from '../../src/pair/fsm.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'

const META = pairMeta()

type Seen = SightRow['follower']

const gatewayOf = ({ gateway }: Seen) => (gateway ? 'up' : 'down')

function peerOf(own: Seen, other: Seen, proofTerm: number | null) {
  return own.peer ? saying(META, { gateway: gatewayOf(other), proofTerm }) : GONE
}

const GONE = { contact: 'gone' } as const

/** What the two hosts of a whole pair see in a row of B6's table, for longer than every bound. */
function views({ leader, follower }: SightRow) {
  return {
    leader: healthy({
      gateway: gatewayOf(leader),
      peer: peerOf(leader, follower, META.term),
      stream: leader.lost === true || !leader.peer ? 'lost' : 'caught-up',
    }),
    follower: healthy({
      self: 'h2',
      gateway: gatewayOf(follower),
      peer: peerOf(follower, leader, null),
      stream: 'lost',
      promotable: true,
    }),
  }
}

test.each(SIGHT_TABLE)('B6: $rules.leader and $rules.follower: $outcome', (row) => {
  const { leader, follower } = views(row)
  expect({ leader: decide(leader).rule, follower: decide(follower).rule }).toEqual(row.rules)
})

test('B3: a follower that has everything is paired and not let go, however tight the disk is: acknowledging gives the WAL back, and needs no copy; one that is behind is let go', () => {
  const meta = pairMeta({ term: 5, mode: 'alone' })
  const facts = healthy({
    meta,
    room: 'tight',
    slotKeepsBytes: 64 * 1024 * 1024,
    peer: saying(meta, { proofTerm: null }),
  })
  expect(decide({ ...facts, stream: 'caught-up' }).rule).toBe('pair')
  expect(decide({ ...facts, stream: 'behind' }).rule).toBe('let-go')
  expect(decide({ ...facts, stream: 'lost' }).rule).toBe('let-go')
})
