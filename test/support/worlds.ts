import type { Facts, PeerFacts, PeerSays } from '../../src/pair/facts.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { pairMeta } from './agent_sightings.ts'

const OTHERS = (['h2', 'h3'] as const).map((name, index) => ({
  name,
  address: `10.77.0.${12 + index}`,
  role: index === 0 ? ('leader' as const) : ('follower' as const),
}))

/** What hostMeta may say to h1. */
export const METAS: readonly (HostMeta | null)[] = [
  pairMeta(),
  pairMeta({ mode: 'alone', term: 3 }),
  pairMeta({ leader: 'h2' }),
  pairMeta({ leader: 'h2', mode: 'alone', term: 3 }),
  pairMeta({ leader: 'h2', hosts: OTHERS }),
  null,
]

/** Everything that a peer can be to a host with this hostMeta. */
export function peersOf(meta: HostMeta | null): readonly PeerFacts[] {
  const silent = (['missed', 'silent', 'cut', 'gone'] as const).map((contact) => ({ contact }))
  const own = meta ?? pairMeta()
  const higher = { ...own, term: own.term + 1, branch: own.term + 1, leader: 'h2' }
  const lower = { ...own, term: own.term - 1 }
  return [
    ...silent,
    saying(own),
    saying(own, { gateway: 'down' }),
    saying(own, { proofTerm: null }),
    saying(own, { proofTerm: null, voided: own.term }),
    saying(own, { lacksSlot: true }),
    saying(own, { settled: false }),
    saying(own, { whole: false }),
    saying(own, { paused: true }),
    saying(higher),
    saying(lower),
    saying(null),
  ]
}

/** What a healthy peer says that has the same hostMeta. */
export function saying(meta: HostMeta | null, more: Partial<PeerSays> = {}): PeerFacts {
  const says: PeerSays = {
    meta,
    gateway: 'up',
    paused: false,
    impaired: false,
    settled: true,
    whole: true,
    proofTerm: meta?.mode === 'paired' ? meta.term : null,
    voided: 0,
    lacksSlot: false,
    followerBehindBytes: 0,
    ...more,
  }
  return { contact: 'answers', says }
}

/** A healthy pair of h1 and h2 that h1 leads, seen by h1. */
export function healthy(more: Partial<Facts> = {}): Facts {
  const meta = more.meta === undefined ? pairMeta() : more.meta
  return {
    self: 'h1',
    policy: { partition: 'availability', acceptLossBytes: 0 },
    initialised: true,
    paused: false,
    frozen: false,
    meta,
    metaDoubtful: false,
    late: false,
    impaired: false,
    proven: true,
    settled: 'yes',
    gateway: 'up',
    peer: saying(meta),
    postgres: 'up',
    disk: 'ok',
    room: 'ok',
    stream: 'caught-up',
    slot: 'ok',
    slotKeepsBytes: 0,
    followerDiffers: false,
    promotable: false,
    copying: false,
    agentGone: false,
    powerHeld: false,
    longGone: true,
    lagBytes: null,
    unbegun: 'no',
    handOverHeld: false,
    handOverPutOff: false,
    voidRefused: false,
    restriction: 'done',
    reads: 'served',
    claimBarred: false,
    asked: null,
    ...more,
  }
}

/** All combinations of the lists' values. */
export function product<T>(lists: { [K in keyof T]: readonly T[K][] }): T[] {
  return Object.entries<readonly unknown[]>(lists).reduce<object[]>(
    (worlds, [key, values]) => worlds.flatMap((w) => values.map((v) => ({ ...w, [key]: v }))),
    [{}],
  ) as T[]
}
