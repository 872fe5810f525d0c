import { expect, test } from 'vitest'
import { CLAIM_FORMAT, needsClaim, taking } from '../../src/pair/claim.ts'
import type { Facts, PeerFacts, Policy } from '../../src/pair/facts.ts'
import { decide } from '../../src/pair/fsm.ts'
import { needsPowerOff } from '../../src/pair/power.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, product, saying } from '../support/worlds.ts'

/** What is true of both hosts at once; each of them sees its part of it. */
interface World {
  readonly metas: readonly [HostMeta, HostMeta]
  readonly link: boolean
  readonly gateways: readonly [boolean, boolean]
  /** h2's proof of its own hostMeta's term. */
  readonly proof: boolean
  readonly impaired: readonly [boolean, boolean]
  readonly proven: readonly [boolean, boolean]
  readonly policy: Policy
}

const PAIRED = pairMeta()
const ALONE = pairMeta({ mode: 'alone', term: 3 })
const PROMOTED = pairMeta({ mode: 'alone', term: 3, branch: 3, leader: 'h2' })
const FORCED = pairMeta({ mode: 'alone', term: 3, branch: 3, leader: 'h1' })

/** What the two can have on their disks, one ahead of the other or both against each other. */
const HISTORIES: readonly (readonly [HostMeta, HostMeta])[] = [
  [PAIRED, PAIRED],
  [ALONE, PAIRED],
  [ALONE, ALONE],
  [PAIRED, PROMOTED],
  [ALONE, PROMOTED],
  [PROMOTED, PROMOTED],
  [FORCED, PROMOTED],
]

const BOTH = [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const

const WORLDS = product<World>({
  metas: HISTORIES,
  link: [true, false],
  gateways: BOTH,
  proof: [true, false],
  impaired: BOTH,
  proven: BOTH,
  policy: [
    { partition: 'availability', acceptLossBytes: 0 },
    { partition: 'availability', acceptLossBytes: 100 },
    { partition: 'consistency', acceptLossBytes: 0 },
    { partition: 'consistency', acceptLossBytes: 100 },
    { partition: 'consistency', acceptLossBytes: 0, fencing: { followerDelayMs: 0 } },
  ],
})

/** One host's part of the world. */
function view(world: World, index: 0 | 1): Facts {
  const other = index === 0 ? 1 : 0
  const meta = world.metas[index]
  const self = index === 0 ? 'h1' : 'h2'
  const follows = meta.leader !== self
  const says = {
    gateway: world.gateways[other] ? ('up' as const) : ('down' as const),
    proofTerm: index === 0 && world.proof ? world.metas[1].term : null,
    impaired: world.impaired[other],
  }
  // Beside fencing its leader went alone when this host was off, or had voided its proof.
  const wasOff = world.policy.fencing !== undefined && world.metas[0].term > world.metas[1].term
  const peer: PeerFacts = world.link ? saying(world.metas[other], says) : { contact: 'gone' }
  return healthy({
    self,
    policy: world.policy,
    meta,
    peer,
    gateway: world.gateways[index] ? 'up' : 'down',
    stream: world.link && !follows ? 'caught-up' : 'lost',
    promotable: follows && index === 1 && world.proof && !wasOff && meta.mode === 'paired',
    lagBytes: follows ? 10 : null,
    impaired: !follows && world.impaired[index],
    proven: follows || world.proven[index],
  })
}

/** The term in which the host takes writes after this decision, or null. */
function leadsAfter(facts: Facts): number | null {
  const { goal } = decide(facts)
  const { meta, self } = facts
  if (meta === null) return null
  if (goal === 'promote') return meta.term + 1
  if (meta.leader !== self) return null
  if (goal === 'recover' || goal === 'go-alone') return meta.term
  if (facts.impaired || ['impair', 'adopt', 'hand-over', 'yield', 'wait'].includes(goal))
    return null
  return meta.term
}

function leaders(world: World): readonly (number | null)[] {
  return [leadsAfter(view(world, 0)), leadsAfter(view(world, 1))]
}

/** Whether both take writes already: what has been, no decision undoes without contact. */
const bothLed = ({ metas: [first, second] }: World) =>
  first.leader === 'h1' && second.leader === 'h2'

test('after contact never two take writes, whatever the policy', () => {
  const broken = WORLDS.filter(
    (world) => world.link && leaders(world).every((term) => term !== null),
  )
  expect(broken).toEqual([])
})

/** What the witness keeps: who went alone without a void did so by the claim (A4). */
function claimOf({ metas: [first, second] }: World) {
  const { term, mode, leader } = second.term > first.term ? second : first
  return { format: CLAIM_FORMAT, site: first.site, term, mode, holder: leader, nonce: 'n' }
}

/** Leads for sure, or if it wins the claim or its peer is off, or not. */
function lead(world: World, index: 0 | 1): 'surely' | 'by its proof' | 'no' {
  const facts = view(world, index)
  const { meta, self } = facts
  if (meta === null || leadsAfter(facts) === null) return 'no'
  const decision = decide(facts)
  const answers = facts.peer.contact === 'answers'
  // Of two that power each other off one is on at most.
  if (needsPowerOff(facts, decision, answers) === 'proven') return 'by its proof'
  if (!needsClaim(facts, decision, answers)) return 'surely'
  const by = { self, meta, highestTerm: meta.term, nonce: 'mine', forced: false }
  return taking(claimOf(world), by).kind === 'refused' ? 'no' : 'by its proof'
}

test('under consistency no decision makes two hosts take writes: of two that may swap the claim one wins, and one that is powered off takes none (A4)', () => {
  const broken = WORLDS.filter((world) => {
    if (world.policy.partition === 'availability' || bothLed(world)) return false
    const both = [lead(world, 0), lead(world, 1)]
    // A paired leader may stay as it is beside one that promotes: it acknowledges nothing alone.
    const waits = world.metas[0].mode === 'paired' && both[0] === 'surely'
    return !both.includes('no') && both.includes('surely') && !waits
  })
  expect(broken).toEqual([])
})

test('under availability two take writes only when both see the gateway, or the leader was alone already', () => {
  const broken = WORLDS.filter(
    (world) =>
      !bothLed(world) &&
      leaders(world).every((term) => term !== null) &&
      !(world.gateways[0] && world.gateways[1]) &&
      world.metas[0].mode === 'paired',
  )
  expect(broken).toEqual([])
})

test('under availability a cut that only the leader feels stops it, and its follower takes over', () => {
  const world: World = {
    metas: [PAIRED, PAIRED],
    link: false,
    gateways: [false, true],
    proof: true,
    impaired: [false, false],
    proven: [true, true],
    policy: { partition: 'availability', acceptLossBytes: 0 },
  }
  expect(leaders(world)).toEqual([null, 3])
})
