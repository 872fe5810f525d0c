import type { PeerSays } from '../pair/facts.ts'
import type { HostMeta } from '../pair/host_meta.ts'

/**
 * What the agent's core is given of the world. The real ones are in this folder; the simulator has its
 * own, with one virtual clock: the core knows no timer, socket, disk or process.
 */
export interface Ports {
  readonly clock: Clock
  readonly sight: Sight
  readonly store: Store
  readonly peer: Peer
  readonly engine: Engine
  /** A decision, a change, a fault: one structured line each, bounded and redacted by its keeper. */
  note(entry: Note): void
}

export interface Clock {
  /** CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps. @unit milliseconds */
  now(): number
  sleep(ms: number, stop: AbortSignal): Promise<void>
  /** For people only; never compared. ISO 8601. */
  wallTime(): string
}

/** All probes at once, each within its own bound; never throws, never takes longer than its bound. */
export interface Sight {
  look(about: { readonly meta: HostMeta | null }): Promise<Sighting>
}

/**
 * An answer to a probe, in the time of {@link Clock.now}. The leader counts its silence from `sentAt` and
 * the follower from `arrivedAt`: see src/pair/timing.ts. Null: no answer since the look before.
 */
export interface Heard {
  readonly sentAt: number
  readonly arrivedAt: number
}

/** One round's raw answers. Null: no answer, or not known (not configured, or still under way). */
export interface Sighting {
  /** Of the gateways that answered, the one whose probe was sent last; 'none': none is configured. */
  readonly gateway: Heard | 'none' | null
  readonly peerAgent: PeerAnswer | null
  readonly peerApi: Heard | null
  readonly peerPing: Heard | null
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
  /** Position of the WAL that is flushed here, as a count of bytes (pg_wal_lsn_diff(…, '0/0')). */
  readonly writtenBytes: number
  /** What the reader has flushed of it; null without a reader. */
  readonly flushedBytes: number | null
}

/** Of the subscription. */
export interface FollowerSighting {
  readonly slot: string | null
  readonly enabled: boolean
  /** Its table is copied, of public.kine and nothing else (A2, A3). */
  readonly ready: boolean
  readonly workerAlive: boolean
  /** Grows while its worker fails again and again. */
  readonly errors: number
}

/** What survives a power cut. Every write is atomic, and on the disk when it resolves. */
export interface Store {
  /** Null: none, or none that can be believed; then `fault` says why, and an older version is used. */
  readMeta(): Promise<{ readonly meta: HostMeta | null; readonly fault: string | null }>
  writeMeta(meta: HostMeta): Promise<void>
  readProof(): Promise<Proof>
  writeProof(proof: Proof): Promise<void>
  isInitialised(): Promise<boolean>
  isPaused(): Promise<boolean>
  /**
   * When the pair last changed, in milliseconds of the wall clock: what the flap guard counts goes on over
   * a restart. A small file; torn or missing is none.
   */
  readChanges(): Promise<readonly number[]>
  writeChanges(changes: readonly number[]): Promise<void>
}

/** promotable.json. A voided term is never proven again. */
export interface Proof {
  /** 0: none. */
  readonly term: number
  /** The highest term whose proof was voided; 0: none. */
  readonly voided: number
}

/** Requests to the peer's agent; each resolves within its own bound, and never throws. */
export interface Peer {
  /** True only when the peer has it on its disk that its proof for this term is void. */
  voidProof(term: number): Promise<boolean>
  /** The peer's word on a step of a hand-over (A7). */
  handOver(request: HandOverRequest): Promise<HandOverAnswer>
}

export type HandOverRequest =
  /** Stop your kine, and say whether you could lead. `byOperator`: whatever a pause or a gateway says. */
  | { readonly phase: 'prepare'; readonly term: number; readonly byOperator: boolean }
  /** Say the digest of your table. */
  | { readonly phase: 'digest'; readonly term: number }
  /** It is not to be: your kine may run again. */
  | { readonly phase: 'cancel'; readonly term: number }
  /** My hostMeta of this (new) term says that you lead: look now. */
  | { readonly phase: 'take'; readonly term: number }
  /** I stand still: promote if you can. */
  | { readonly phase: 'yield'; readonly term: number }

export type HandOverAnswer =
  | { readonly ok: true; readonly digest?: string }
  | { readonly ok: false; readonly why: string }

/** The engine of every converge, in process, on the plan of the site file. */
export interface Engine {
  /**
   * Converges the tasks with one of these tags in role.yaml as this hostMeta wants it. `urgent`: ends
   * whoever holds the host's lock (SIGTERM, after 3 s SIGKILL); otherwise a held lock is an outcome.
   * Rounds go on meanwhile. `stop` aborted: it ends after its current change, within 3 s; what is more
   * pressing waits for that.
   */
  converge(wanted: {
    readonly meta: HostMeta
    readonly tags: readonly string[]
    readonly urgent: boolean
    readonly stop: AbortSignal
  }): Promise<ConvergeOutcome>
}

export type ConvergeOutcome =
  | {
      readonly kind: 'done'
      readonly changed: number
      /** What tasks registered, by name: the fork point of a promotion is read from it. */
      readonly registered: Readonly<Record<string, unknown>>
    }
  /** `task` and `message` of the first trouble. */
  | { readonly kind: 'failed'; readonly task: string | null; readonly message: string }
  | { readonly kind: 'locked'; readonly by: string }
  /** Ended by `stop`. */
  | { readonly kind: 'stopped' }

export type Note =
  | {
      readonly kind: 'decision'
      readonly rule: string
      readonly goal: string
      readonly why: string
      readonly term: number | null
      readonly facts: Readonly<Record<string, unknown>>
    }
  | {
      readonly kind: 'meta'
      readonly term: number
      readonly branch: number
      readonly mode: string
      readonly leader: string
    }
  | {
      readonly kind: 'converge'
      readonly tags: readonly string[]
      readonly outcome: ConvergeOutcome['kind']
      readonly ms: number
      readonly message: string | null
    }
  | { readonly kind: 'proof'; readonly term: number; readonly voided: number }
  | { readonly kind: 'fault'; readonly what: string; readonly message: string }
