import type { HostMeta } from './host_meta.ts'

/**
 * What a decision is made from: one round's answers, already judged against the clock. Few values each,
 * so that a test can walk through all worlds.
 */
export interface Facts {
  /** This host's name. */
  readonly self: string
  readonly policy: Policy
  /** False: this host never belonged to a pair; it does nothing. */
  readonly initialised: boolean
  /** A pause stops promotion, demotion by choice and hand-over; going alone, fencing and pairing go on. */
  readonly paused: boolean
  /** Too many changes in an hour: nothing is chosen any more until an operator looks. */
  readonly frozen: boolean
  /** Null: there is no hostMeta that can be believed. */
  readonly meta: HostMeta | null
  /** Our own round was late by more than the limit: whatever we led may be led by another by now (A8). */
  readonly late: boolean
  /** We led, were cut off, and stopped taking writes. */
  readonly impaired: boolean
  /** Leading is proven since this boot: mode alone is recorded, or the peer has answered with nothing higher (A5). */
  readonly proven: boolean
  /** role.yaml has been converged, without an error, for this hostMeta. */
  readonly settled: boolean
  readonly gateway: Gateway
  readonly peer: PeerFacts
  readonly postgres: 'up' | 'starting' | 'failed'
  readonly disk: 'ok' | 'full'
  /** What a leader's PostgreSQL says of its follower; 'lost' also on a follower. */
  readonly stream: Stream
  /** True if our stored proof holds for our term and nothing since has put it in doubt. */
  readonly promotable: boolean
  /** Bytes that a promotion without a proof would lose at most; null: nobody knows. */
  readonly lagBytes: number | null
  /** What this host lacks to follow; a leader's is null. */
  readonly lacksSlot: boolean
  /** What an operator or the peer has asked of us; taken once. */
  readonly asked: Asked | null
}

export interface Policy {
  readonly partition: 'availability' | 'consistency'
  /** @unit bytes */
  readonly acceptLossBytes: number
}

/** up: answered in the last round · silent: not, for less than the fence time · down: for longer. */
export type Gateway = 'up' | 'silent' | 'down'

/**
 * answers: its agent spoke in the last round · silent: its agent does not, but something of it does,
 * or not for long yet · cut: nothing of it for the fence time · gone: nothing for the promote time.
 */
export type PeerFacts =
  | { readonly contact: 'answers'; readonly says: PeerSays }
  | { readonly contact: 'silent' | 'cut' | 'gone' }

/** What the peer's agent said in this round. */
export interface PeerSays {
  readonly meta: HostMeta | null
  readonly gateway: 'up' | 'down'
  readonly paused: boolean
  readonly impaired: boolean
  /** It has settled in its role. */
  readonly settled: boolean
  /** Its stored proof's term; null: it has none that counts. */
  readonly proofTerm: number | null
  /** As a follower it needs a slot of a new name, and a copy (B3). */
  readonly lacksSlot: boolean
}

/**
 * whole: commits are acknowledged by the follower, none waits too long · caught-up: it streams by
 * hostMeta's slot and has all that was written a round ago · behind: it streams, and is behind or
 * copies · lost: a commit waits for longer than 1.5 s, or nobody has read the slot for as long (B7).
 */
export type Stream = 'whole' | 'caught-up' | 'behind' | 'lost'

/** A request: of an operator, over the local socket, or of the peer, over its API. */
export type Asked =
  /** `twonode promote --force`: lead whatever the peer may have. */
  | { readonly kind: 'promote'; readonly force: boolean }
  /** The leader can't serve and stands still: kine dead, virtual IP gone. `term` is the leader's. */
  | { readonly kind: 'yielded'; readonly term: number }
  | { readonly kind: 'switchover' }
  | { readonly kind: 'replacement'; readonly name: string; readonly address: string }

/** What is to be done now. Each goal has its tags in role.yaml, or none (`src/pair/goals.ts`). */
export type Goal =
  | 'stay'
  /** kine is killed before anything else, and the round begins anew (A8). */
  | 'stop-kine'
  /** Converge role.yaml: what hostMeta says is not true on this host yet. */
  | 'settle'
  /** Take the peer's hostMeta, and what follows from it: usually to follow. */
  | 'adopt'
  | 'promote'
  | 'go-alone'
  | 'pair'
  | 'impair'
  | 'recover'
  /** By agreement, while both are well (A7). */
  | 'hand-over'
  /** A leader that can't serve lets its peer promote. */
  | 'yield'
  /** A new name for the follower's slot; it copies (B3). */
  | 'new-slot'
  | 'accept-replacement'
  /** Unproven: fenced, and waiting for the peer or an operator (A5). */
  | 'wait'

export interface Decision {
  /** The row's id, as in docs/fsm.md. */
  readonly rule: string
  readonly goal: Goal
  readonly why: string
}
