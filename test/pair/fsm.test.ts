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
