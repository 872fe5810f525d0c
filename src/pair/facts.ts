import type { Room } from './disk_budget.ts'
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
  /** Too many changes in an hour: nothing is begun any more until an operator looks, or an hour of calm. */
  readonly frozen: boolean
  /** Null: there is no hostMeta that can be believed. */
  readonly meta: HostMeta | null
  /** meta is an older version, for the newest can't be read: what it says of the mode may be past. */
  readonly metaDoubtful: boolean
  /** Our own round was late by more than the limit: whatever we led may be led by another by now (A8). */
  readonly late: boolean
  /** We led, and stopped taking writes: cut off, unproven, late, or yielding. */
  readonly impaired: boolean
  /**
   * Leading is proven: mode alone is recorded, or the peer has answered with nothing higher since we
   * could last have been replaced (A5); and the last that we saw of it was not higher.
   */
  readonly proven: boolean
  readonly settled: Settled
  readonly gateway: Gateway
  readonly peer: PeerFacts
  /** Its agent has not been heard for long enough to be dead, whatever else of it answers (B9). */
  readonly agentGone: boolean
  /** failed: for longer than a restart takes. */
  readonly postgres: 'up' | 'starting' | 'failed'
  readonly disk: 'ok' | 'full'
  /** How much is left on it. */
  readonly room: Room
  /** What a leader's PostgreSQL says of its follower; 'lost' also on a follower. */
  readonly stream: Stream
  /** hostMeta's slot on a leader; 'ok' on a follower. Lost as well: what it decodes is not published. */
  readonly slot: 'ok' | 'missing' | 'lost'
  /** WAL that a leader keeps because of hostMeta's slot. @unit bytes */
  readonly slotKeepsBytes: number
  /** A leader: its follower was found to be no copy of its table (A7). */
  readonly followerDiffers: boolean
  /** A follower: our stored proof holds for our term, and nothing since has put it in doubt. */
  readonly promotable: boolean
  /** A follower: its table is half a copy, and whatever it had before lies aside. */
  readonly copying: boolean
  /** Bytes that a promotion without a proof would lose at most; null: nobody knows. */
  readonly lagBytes: number | null
  /**
   * A leader by a hand-over whose branch has no marker yet. untouched: nothing can have been written in
   * it, for no converge of this agent came as far · given-back: it is not taken up any more.
   */
  readonly unbegun: 'no' | 'untouched' | 'given-back'
  /** A hand-over or yield was tried and refused a short while ago, or is being answered. */
  readonly handOverHeld: boolean
  /** A hand-over for the lost gateway has stopped both kines in vain: the next is not due yet. */
  readonly handOverPutOff: boolean
  /** The peer answers, and has not acknowledged a void proof for the fence time. */
  readonly voidRefused: boolean
  /**
   * due: what may be changed in Kubernetes is not yet what this mode allows. done: it is, or nothing was
   * ever restricted.
   */
  readonly restriction: 'done' | 'due'
  /**
   * A leader that waits after a cold start: whether what it has can be read on it. due: nobody knows, or
   * not any more · not-served: it did not come up, or k3s has run since the start.
   */
  readonly reads: 'due' | 'served' | 'not-served'
  /** The claim was refused, and no look at it since has shown that it may be had (A4). */
  readonly claimBarred: boolean
  /** An attempt to power the peer off proved nothing, and the next is not due yet. */
  readonly powerHeld: boolean
  /** Its leader, which goes first, had the time to power this follower off: gone for longer than that. */
  readonly longGone: boolean
  /** What an operator or the peer has asked of us; taken once. */
  readonly asked: Asked | null
}

export interface Policy {
  readonly partition: 'availability' | 'consistency'
  /** @unit bytes */
  readonly acceptLossBytes: number
  /** Under consistency: no witness decides, but who has powered the other one off. */
  readonly fencing?: { readonly followerDelayMs: number }
}

/**
 * Whether role.yaml has been converged, without an error, for this hostMeta. yes · due: not, or its
 * time has come again · later: it failed, and the next attempt is not due yet.
 */
export type Settled = 'yes' | 'due' | 'later'

/** up: answered in the last round · silent: not, for less than the fence time · down: for longer. */
export type Gateway = 'up' | 'silent' | 'down'

/**
 * answers: its agent spoke in the last round · missed: it did in the one before, or we only just began to look · silent: it does not,
 * but something of the peer does, or not for long yet · cut: nothing of it for the fence time · gone:
 * nothing for the promote time.
 */
export type PeerFacts =
  | { readonly contact: 'answers'; readonly says: PeerSays }
  | { readonly contact: 'missed' | 'silent' | 'cut' | 'gone' }

/** It has not been heard for longer than a look. */
export function isSilent({ contact }: PeerFacts): boolean {
  return contact === 'silent' || contact === 'cut' || contact === 'gone'
}

/** What a host's agent says of itself: the peer's in this round, our own to whoever asks. */
export interface PeerSays {
  readonly meta: HostMeta | null
  readonly gateway: 'up' | 'down'
  readonly paused: boolean
  readonly impaired: boolean
  /** It has settled in its role. */
  readonly settled: boolean
  /** As a follower: it follows by hostMeta's slot, and its copy of the table is whole (A3). A leader is. */
  readonly whole: boolean
  /** Its stored proof's term; null: it has none that counts. */
  readonly proofTerm: number | null
  /** The highest term whose proof it has voided; 0: none. */
  readonly voided: number
  /** As a follower it needs a slot of a new name, and a copy (B3). */
  readonly lacksSlot: boolean
  /** As a follower: it is about to stop for a while, by an operator's word; its leader goes on alone first. */
  readonly leaving?: true
  /** As a leader: what its follower has not flushed yet; null: not known. @unit bytes */
  readonly followerBehindBytes: number | null
}

/**
 * caught-up: the follower streams by hostMeta's slot, has all that was written a round ago, and no
 * commit waits too long · behind: it streams, and is behind or copies · lost: a commit waits for longer
 * than 1.5 s, or nobody has read the slot for as long (B7).
 */
export type Stream = 'caught-up' | 'behind' | 'lost'

/** A request: of an operator, over the local socket, or of the peer, over its API. */
export type Asked =
  /** `twonode promote`; with force: lead whatever the peer may have. */
  | { readonly kind: 'promote'; readonly force: boolean }
  /** The leader can't serve and stands still: kine dead, virtual IP gone. `term` is the leader's. */
  | { readonly kind: 'yielded'; readonly term: number }
  /** Who was handed the lead in this term could not take it up: nothing was written since. */
  | { readonly kind: 'handed-back'; readonly term: number }
  /** `thoughPaused`: also to a follower that an operator has paused. */
  | { readonly kind: 'switchover'; readonly thoughPaused?: boolean }
  /** An operator has looked: the flap guard forgets what it counted. */
  | { readonly kind: 'thaw' }
  | { readonly kind: 'replacement'; readonly name: string; readonly address: string }

/** What is to be done now. Each goal has its tags in role.yaml, or none (`src/pair/goals.ts`). */
export type Goal =
  | 'stay'
  /** Converge role.yaml: what hostMeta says is not true on this host yet. */
  | 'settle'
  /** Take the peer's hostMeta, and what follows from it: usually to follow. */
  | 'adopt'
  | 'promote'
  | 'go-alone'
  | 'pair'
  /** Take no more writes: kine is killed before anything else (A8). */
  | 'impair'
  | 'recover'
  /** By agreement, while both are well (A7). */
  | 'hand-over'
  /** A leader that can't serve lets its peer promote. */
  | 'yield'
  /** A leader that can't begin the branch that it was handed lets the old leader lead again. */
  | 'hand-back'
  /** A new name for the follower's slot; it copies (B3). */
  | 'new-slot'
  /** No slot for the follower, and no WAL kept for it: it copies when there is room again (B3). */
  | 'let-go'
  /** What may be changed in Kubernetes follows from the mode. */
  | 'restrict'
  /** What a leader that waits has can be read on the host itself, behind the fence (A5, B8). */
  | 'serve-reads'
  | 'accept-replacement'
  | 'thaw'
  /** Unproven: fenced, and waiting for the peer or an operator (A5). */
  | 'wait'

export interface Decision {
  /** The row's id, as in docs/fsm.md. */
  readonly rule: string
  readonly goal: Goal
  readonly why: string
}
