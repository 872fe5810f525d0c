import type { PeerSays } from './facts.ts'

/**
 * An answer to a probe, on CLOCK_BOOTTIME. The leader counts its silence from `sentAt` and the follower
 * from `arrivedAt`: see timing.ts. Null: no answer since the look before.
 */
export interface Heard {
  readonly sentAt: number
  readonly arrivedAt: number
}

/** What the pings have heard since the look before, whose time is their own. */
export interface HeardSince {
  /** Of the gateways that answered, the one whose probe was sent last; 'none': none is configured. */
  readonly gateway: Heard | 'none' | null
  readonly peerPing: Heard | null
}

/** One round's raw answers. Null: no answer, or not known (not configured, or still under way). */
export interface Sighting extends HeardSince {
  readonly peerAgent: PeerAnswer | null
  readonly peerApi: Heard | null
  /** The control-plane endpoint takes connections. Reported, decides nothing. */
  readonly endpoint: boolean | null
  readonly script: boolean | null
  readonly postgres: PostgresSighting
  readonly disk: { readonly writable: boolean; readonly freeBytes: number }
  readonly carrier: boolean | null
  /** Share of the last ten seconds in which some task waited for memory. @range 0..100 */
  readonly memoryPressure: number | null
}

export interface PeerAnswer extends PeerSays, Heard {
  readonly host: string
  /** Changes with each boot of the peer. */
  readonly bootId: string
}

export type PostgresSighting =
  /** `starting`: it says so itself, as in crash recovery. */
  | { readonly up: false; readonly starting: boolean; readonly why: string }
  | {
      readonly up: true
      readonly leader: LeaderSighting
      readonly follower: FollowerSighting | null
    }

/** Of hostMeta's slot, and of commits that wait for its reader. */
export interface LeaderSighting {
  /** Oldest commit that waits for a follower. @unit milliseconds */
  readonly oldestWaitMs: number
  readonly slot: 'missing' | 'idle' | 'active' | 'lost'
  /** Its reader's state is streaming. */
  readonly streaming: boolean
  /** synchronous_standby_names is set, here and now. */
  readonly synchronous: boolean
  /** The publication names kine's table, all of it: else the slot's reader misses what is written (A2). */
  readonly published: boolean
  /** Position of the WAL that is flushed here, as a count of bytes (pg_wal_lsn_diff(…, '0/0')). */
  readonly writtenBytes: number
  /** What the reader has flushed of it; null without a reader. */
  readonly flushedBytes: number | null
  /** WAL that is kept because of the slot; 0 without one. @unit bytes */
  readonly keptBytes: number
  /** WAL files that are there and not written yet. @unit bytes */
  readonly spareBytes: number
}

/** Of the subscription; without one, of a table that is empty: whatever is to fill it has not begun (A2). */
export interface FollowerSighting {
  readonly slot: string | null
  readonly enabled: boolean
  /** Its table is copied, of public.kine and nothing else (A2, A3). */
  readonly ready: boolean
  /** How far its copy is, in words that change as long as it goes on; null: it is ready, or not begun. */
  readonly copied: string | null
  /** Of the changes that follow; a copy has a worker of its own, whose end ends this one not. */
  readonly workerAlive: boolean
  /** Grows while its worker fails again and again. */
  readonly errors: number
}
