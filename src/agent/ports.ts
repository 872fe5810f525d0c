import type { Room } from '../pair/disk_budget.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import type { Power } from '../pair/power.ts'
import type { HeardSince, Sighting } from '../pair/sighting.ts'
import type { Witness } from '../pair/witness.ts'

export type * from '../pair/sighting.ts'
export type * from '../pair/witness.ts'

/**
 * What the agent's core is given of the world. The real ones are in this folder; the simulator has its
 * own, with one virtual clock: the core knows no timer, socket, disk or process.
 */
export interface Ports {
  readonly clock: Clock
  readonly sight: Sight
  readonly store: Store
  readonly peer: Peer
  readonly engine: StoppingEngine
  readonly kine: RunningKine
  readonly heartbeat: LastBeat
  readonly site: SiteKeeper
  /** Null: the site has none. */
  readonly witness: Witness | null
  /** The peer's; null: the site has no fencing. */
  readonly power: PeerPower | null
  /** A decision, a change, a fault: one structured line each, bounded and redacted by its keeper. */
  note(entry: Note): void
}

/** What powers the peer off, and within which bounds. */
export interface PeerPower extends Power {
  /** Of one command. @unit milliseconds */
  readonly commandMs: number
  /** Of an attempt as a whole. @unit milliseconds */
  readonly attemptMs: number
}

export interface Clock {
  /** CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps. @unit milliseconds */
  now(): number
  /** Resolves after that time, or at once when `stop` is aborted; never rejects. */
  sleep(ms: number, stop: AbortSignal): Promise<void>
  /** For people only; never compared. ISO 8601. */
  wallTime(): string
}

/** All probes at once, each within its own bound; never throws, never takes longer than its bound. */
export interface Sight {
  look(about: { readonly meta: HostMeta | null }): Promise<Sighting>
  /** What came since the last look; the next one brings it again. */
  heard(): HeardSince
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
  /** kine may run here in the role that this hostMeta says: the permit that no boot finds. */
  isPermitted(meta: HostMeta): Promise<boolean>
  /**
   * When the pair last changed, in milliseconds of the wall clock: what the flap guard counts goes on over
   * a restart. A small file; torn or missing is none.
   */
  readChanges(): Promise<readonly number[]>
  writeChanges(changes: readonly number[]): Promise<void>
  /** The slot of a follower that was found to be no copy; torn or missing is none. */
  readDiffers(): Promise<string | null>
  writeDiffers(slot: string): Promise<void>
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
  /** I can't take up what you handed me in this term, and never will: lead again. */
  | { readonly phase: 'back'; readonly term: number }

export type HandOverAnswer =
  | { readonly ok: true; readonly digest?: string }
  /** heard false: nobody answered. follows: it can't lead, and follows the leader of this term on. */
  | {
      readonly ok: false
      readonly why: string
      readonly heard?: false
      readonly follows?: true
    }

/** The engine of every converge, in process, on the plan of the site file. */
export interface Engine {
  /**
   * Converges the tasks with one of these tags in role.yaml as this hostMeta wants it. `urgent`: ends
   * whoever holds the host's lock (SIGTERM, after 3 s SIGKILL); otherwise a held lock is an outcome.
   * Rounds go on meanwhile. `stop` aborted: it ends after its current change, within 3 s; what is more
   * pressing waits for that. `told`: what a task registers, as soon as it has. `beforeUnlock`: what must be
   * on the disk before another run looks, once all tasks are done.
   */
  converge(wanted: {
    readonly meta: HostMeta
    readonly tags: readonly string[]
    readonly urgent: boolean
    readonly stop: AbortSignal
    readonly told?: (name: string, result: Readonly<Record<string, unknown>>) => void
    readonly beforeUnlock?: (() => Promise<void>) | undefined
  }): Promise<ConvergeOutcome>
}

/** One that can stop kine, and give up the virtual address, beside whatever is converged. */
export interface StoppingEngine extends Engine {
  /** Begun and not waited for: no lock, no converge that has to end before the next (A8). */
  stopServing(): void
}

/** Of the agent that ran before this one. */
export interface LastBeat {
  /** When it was last alive, on the clock's time; null: none since the boot, or it can't be read. */
  readonly lastBeatAt: number | null
}

/** What kine runs, whatever was asked for. */
export interface RunningKine {
  /** Names of those that use another database than kine's file says; empty: none, or nobody knows. */
  astray(): Promise<readonly string[]>
}

/** The compiled site that this host keeps. */
export interface SiteKeeper {
  /**
   * From now on another host is the peer: on the disk, and in every converge, when it resolves. Rejects,
   * with nothing changed, where the site can not be told of it.
   */
  takeIn(old: string, newcomer: { readonly name: string; readonly address: string }): Promise<void>
}

export type ConvergeOutcome =
  | {
      readonly kind: 'done'
      readonly changed: number
      /** What tasks registered, by name: the fork point of a promotion is read from it. */
      readonly registered: Readonly<Record<string, unknown>>
    }
  /** `task` and `message` of the first trouble; what was registered, if a task was begun at all. */
  | {
      readonly kind: 'failed'
      readonly task: string | null
      readonly message: string
      readonly registered?: Readonly<Record<string, unknown>>
    }
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
  /** A claim was asked for at the witness, by this row of its table; what it keeps then may be another. */
  | {
      readonly kind: 'claim'
      readonly row: string
      readonly term: number
      readonly holder: string
      readonly mode: 'paired' | 'alone'
    }
  /** An attempt to power the peer off has ended, by this row of its table. */
  | {
      readonly kind: 'power-off'
      readonly row: string
      /** It was seen to be off. */
      readonly proven: boolean
      readonly words: string
      readonly ms: number
    }
  /** A host without a certificate got in by a join token. */
  | {
      readonly kind: 'newcomer'
      readonly name: string
      readonly address: string
      readonly token: string
    }
  /** A table of another history was moved to a schema of its own, where it is kept (A2). */
  | {
      readonly kind: 'set-aside'
      readonly schema: string
      readonly why: string
      readonly led: Led | null
    }
  /** What a losing branch had of its own: saved, verified, decided upon. `name`: its folder's. */
  | {
      readonly kind: 'salvage'
      readonly what: 'saved' | 'replayed' | 'discarded' | 'verified' | 'forgotten'
      readonly name: string
      readonly words: string
    }
  /** `by` expiry: nobody resumed it in its time. `for`: how long it is meant to last. */
  | {
      readonly kind: 'pause'
      readonly paused: boolean
      readonly by?: 'expiry'
      readonly for?: string
    }
  /** A promotion without the proof: what its leader acknowledged, and this host may miss. Null: not known. */
  | { readonly kind: 'loss'; readonly lagBytes: number | null; readonly heardAgoMs: number | null }
  /** A follower is about to stop for so long; without `for` it stays. */
  | { readonly kind: 'leave'; readonly for?: string }
  /** booted: the first agent since the host's boot. `seconds`: since that. */
  | {
      readonly kind: 'agent'
      readonly what: 'started' | 'booted' | 'ended'
      readonly seconds: number
    }
  /** While no agent was heard the guard stopped kine and gave up the virtual address (B9). */
  | { readonly kind: 'guard'; readonly stopped: string }
  /** There is another amount of room on the disk (`src/pair/disk_budget.ts`). */
  | {
      readonly kind: 'room'
      readonly room: Room
      readonly freeBytes: number
      readonly keptBytes: number
      readonly bytesPerSecond: number
    }
  | { readonly kind: 'fault'; readonly what: string; readonly message: string }

/** How this host led before it followed, as its hostMeta said last. */
export interface Led {
  readonly branch: number
  readonly mode: 'alone' | 'paired'
  /** When that was recorded: it had led in this mode for as long, or longer. */
  readonly since: string
}
