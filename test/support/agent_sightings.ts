import type { PeerSays } from '../../src/pair/facts.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import type { PeerAnswer, Sighting } from '../../src/pair/sighting.ts'

const HEARD = { sentAt: 0, arrivedAt: 0 }

export const NOTHING_SEEN: Sighting = {
  gateway: null,
  peerAgent: null,
  peerApi: null,
  peerPing: null,
  endpoint: null,
  script: null,
  postgres: { up: false, starting: false, why: 'not started' },
  disk: { writable: true, freeBytes: 1e9 },
  carrier: null,
  memoryPressure: null,
}

/** What an agent says that is well, and has no hostMeta yet. */
export const SAYS: PeerSays = {
  meta: null,
  gateway: 'up',
  paused: false,
  impaired: false,
  settled: true,
  whole: true,
  proofTerm: null,
  voided: 0,
  lacksSlot: false,
  followerBehindBytes: null,
}

/** The peer's agent answers, and all else of it. */
export function answers(says: Partial<PeerAnswer> & { readonly meta: HostMeta | null }) {
  return {
    peerAgent: { ...SAYS, host: 'peer', bootId: 'b', ...HEARD, ...says },
    peerApi: HEARD,
    peerPing: HEARD,
  } as const
}

export const SILENT = { peerAgent: null, peerApi: null, peerPing: null } as const
export const GATEWAY_UP = { gateway: HEARD } as const
export const GATEWAY_LOST = { gateway: null } as const

/** A leader's PostgreSQL. */
export function leading(
  seen: Partial<Extract<Sighting['postgres'], { up: true }>['leader']> = {},
): Pick<Sighting, 'postgres'> {
  return {
    postgres: {
      up: true,
      leader: {
        oldestWaitMs: 0,
        slot: 'active',
        streaming: true,
        synchronous: true,
        published: true,
        writtenBytes: 100,
        flushedBytes: 100,
        keptBytes: 0,
        spareBytes: 0,
        ...seen,
      },
      follower: null,
    },
  }
}

/** A follower's PostgreSQL. */
export function following(
  slot: string,
  seen: Partial<NonNullable<Extract<Sighting['postgres'], { up: true }>['follower']>> = {},
): Pick<Sighting, 'postgres'> {
  return {
    postgres: {
      up: true,
      leader: {
        oldestWaitMs: 0,
        slot: 'missing',
        streaming: false,
        synchronous: false,
        published: true,
        writtenBytes: 50,
        flushedBytes: null,
        keptBytes: 0,
        spareBytes: 0,
      },
      follower: {
        slot,
        enabled: true,
        ready: true,
        copied: null,
        workerAlive: true,
        errors: 0,
        ...seen,
      },
    },
  }
}

/** A pair of h1 and h2 that h1 leads. */
export function pairMeta(more: Partial<HostMeta> = {}): HostMeta {
  const leader = more.leader ?? 'h1'
  return {
    format: 1,
    site: 'site',
    term: 2,
    branch: 1,
    mode: 'paired',
    leader,
    slot: leader === 'h1' ? 'h2_1_1' : 'h1_1_1',
    began: 'first',
    fork: null,
    hosts: (['h1', 'h2'] as const).map((name, index) => ({
      name,
      address: `10.77.0.${11 + index}`,
      role: name === leader ? 'leader' : 'follower',
    })),
    controlPlaneEndpoint: '10.77.0.10:6443',
    lastModified: '2026-01-01T00:00:00.000Z',
    ...more,
  }
}
