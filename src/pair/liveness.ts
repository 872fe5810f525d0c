import { afterLook, type Contact, firstContact, spokenTo, withAnswers } from './contact.ts'
import type { PeerSays } from './facts.ts'
import { budget, type DiskBudget, FIRST_BUDGET } from './disk_budget.ts'
import { compareHostMeta, type HostMeta } from './host_meta.ts'
import { NO_TROUBLE, seeSubscription, type SubscriptionMemory } from './subscription_trouble.ts'
import type { HeardSince, LeaderSighting, PeerAnswer, Sighting } from './sighting.ts'

/** What is remembered of earlier rounds: all that a judgement needs beside the clock. */
export interface Memory {
  /** Of anything of the peer: its agent, its API server, its ICMP. */
  readonly peer: Contact
  readonly agent: AgentContact
  readonly gateway: Contact
  /** The gateway answered since the last time that we may have been replaced. */
  readonly gatewaySeen: boolean
  /** The peer answered since then, and had nothing higher (A5). */
  readonly vouched: boolean
  /** An agent that led without a doubt ended so lately that nobody can have been promoted since. */
  readonly continued: boolean
  /**
   * What a leader's peer had that is higher, until it has nothing higher any more: a disk that takes no
   * hostMeta must not make us forget who has won.
   */
  readonly supersededBy: HostMeta | null
  /** The term for which the leader has said "paired" since this agent started (A3); 0: none. */
  readonly renewedTerm: number
  /** The highest term whose proof was to be void, and the disk did not take it; 0: none. Never renewed. */
  readonly voidMissedTerm: number
  /** The leader may have gone alone unseen since it last said "paired". */
  readonly inDoubt: boolean
  /** The leader's last word on what its follower lacks. @unit bytes */
  readonly lagBytes: number | null
  readonly postgres: PostgresMemory
  readonly disk: DiskBudget
  readonly stream: StreamMemory | null
  readonly subscription: SubscriptionMemory
  /** A leader: by this slot its follower is no copy, their digests differed while both stood still (A7). */
  readonly differsBy: string | null
  /** The highest term that either host has spoken of. */
  readonly highestTerm: number
}

interface AgentContact {
  readonly heardAt: number
  readonly missed: number
  readonly says: PeerSays | null
}

/** What the leader's PostgreSQL said, for the term in which it was asked. */
interface StreamMemory {
  readonly term: number
  readonly seen: LeaderSighting
  readonly readerGoneSince: number | null
  readonly caughtUp: boolean
  /** Since when a commit waits or waited, with nothing flushed by the reader since; null: none does. */
  readonly unmovedSince: number | null
  /** When it was asked. */
  readonly at: number
}

interface PostgresMemory {
  readonly downSince: number | null
  readonly starting: boolean
  /** Since this agent started: at boot it may take its time. */
  readonly wasUp: boolean
}

/** Whose sighting it is. */
export interface Viewer {
  readonly self: string
  /** hostMeta as it was when the look began. */
  readonly meta: HostMeta | null
  /** When the look began. */
  readonly at: number
}

/** For how long commits have waited for their reader, whoever gave up meanwhile. @unit milliseconds */
export function waitMs({ seen, unmovedSince, at }: StreamMemory): number {
  return Math.max(seen.oldestWaitMs, unmovedSince === null ? 0 : at - unmovedSince)
}

/** An agent that starts has seen nothing, and counts from now. */
export function firstMemory(now: number): Memory {
  return {
    ...unseen(now),
    supersededBy: null,
    renewedTerm: 0,
    voidMissedTerm: 0,
    postgres: { downSince: null, starting: false, wasUp: false },
    disk: FIRST_BUDGET,
    stream: null,
    subscription: NO_TROUBLE,
    differsBy: null,
    highestTerm: 0,
  }
}

/** After a stall nothing that was seen before counts: the world went on without us (A8). */
export function afterStall(memory: Memory, now: number): Memory {
  return { ...memory, ...unseen(now), inDoubt: true, stream: null }
}

/** A leader that was stopped has to be vouched for anew: another may have been promoted since. */
export function unvouched(memory: Memory): Memory {
  return { ...memory, vouched: false, continued: false, gatewaySeen: false }
}

/** A leader's peer, or an operator, has said that this host leads. */
export function vouchedFor(memory: Memory): Memory {
  return { ...memory, vouched: true }
}

/** Both stood still, with everything flushed, and their tables were not the same (A7). */
export function differedBy(memory: Memory, slot: string | null): Memory {
  return { ...memory, differsBy: slot }
}

/** An operator says that this host leads, whatever the peer has. */
export function forcedToLead(memory: Memory): Memory {
  return { ...vouchedFor(memory), supersededBy: null }
}

/** The peer spoke to us: whatever our own probes say, it is not gone. */
export function heardFrom(memory: Memory, now: number): Memory {
  return {
    ...memory,
    peer: spokenTo(memory.peer, now),
    agent: { ...memory.agent, heardAt: now },
  }
}

/** Our proof is void: the leader goes alone, and from now on writes what we may never see. */
export function voidHeard(memory: Memory, now: number): Memory {
  return { ...heardFrom(memory, now), lagBytes: null }
}

/** The leader may go alone all the same: asked to void a proof, and could not; or it leads by our word. */
export function voidMissed(memory: Memory, term: number): Memory {
  return { ...memory, renewedTerm: 0, voidMissedTerm: Math.max(memory.voidMissedTerm, term) }
}

function unseen(now: number) {
  const contact = firstContact(now)
  return {
    peer: contact,
    agent: { heardAt: now, missed: 0, says: null },
    gateway: contact,
    gatewaySeen: false,
    vouched: false,
    continued: false,
    inDoubt: false,
    lagBytes: null,
  }
}

/** Takes in what came beside the looks: a deadline is judged by all that has been heard when it comes. */
export function overheard(memory: Memory, { gateway, peerPing }: HeardSince): Memory {
  return {
    ...memory,
    peer: peerPing === null ? memory.peer : withAnswers(memory.peer, [peerPing]),
    gateway:
      gateway === null || gateway === 'none'
        ? memory.gateway
        : withAnswers(memory.gateway, [gateway]),
  }
}

/** Takes in one round's answers. */
export function remember(memory: Memory, sighting: Sighting, viewer: Viewer): Memory {
  const { at, meta, self } = viewer
  const { peerAgent, postgres } = sighting
  const gateway = sighting.gateway === 'none' ? { sentAt: at, arrivedAt: at } : sighting.gateway
  const seen: Memory = {
    ...memory,
    peer: afterLook(memory.peer, [peerAgent, sighting.peerApi, sighting.peerPing], at),
    agent:
      peerAgent === null
        ? { ...memory.agent, missed: memory.agent.missed + 1 }
        : { heardAt: peerAgent.arrivedAt, missed: 0, says: peerAgent },
    gateway: afterLook(memory.gateway, [gateway], at),
    gatewaySeen: memory.gatewaySeen || gateway !== null,
    postgres: postgres.up
      ? { downSince: null, starting: false, wasUp: true }
      : {
          ...memory.postgres,
          downSince: memory.postgres.downSince ?? at,
          starting: postgres.starting,
        },
    disk: budget(memory.disk, {
      ...sighting.disk,
      spareBytes: postgres.up ? postgres.leader.spareBytes : 0,
      writtenBytes: postgres.up ? postgres.leader.writtenBytes : null,
      at,
    }),
    stream:
      postgres.up && meta !== null
        ? stream(memory.stream, postgres.leader, { ...viewer, meta })
        : null,
    subscription:
      postgres.up && meta !== null && meta.leader !== self
        ? seeSubscription(memory.subscription, postgres.follower, {
            slot: meta.slot,
            at,
            leaderAnswers: peerAgent !== null,
          })
        : memory.subscription,
  }
  return peerAgent === null ? doubted(seen) : told(seen, peerAgent, viewer)
}

/** What the peer's agent says vouches for a leader, and renews a follower's proof (A3, A5). */
function told(memory: Memory, says: PeerAnswer, { self, meta }: Viewer): Memory {
  const theirs = says.meta
  const highestTerm = Math.max(memory.highestTerm, theirs?.term ?? 0)
  if (meta === null || theirs === null) return { ...memory, highestTerm }
  if (meta.leader === self) {
    const supersededBy = compareHostMeta(theirs, meta) > 0 ? theirs : null
    return { ...memory, highestTerm, vouched: supersededBy === null, supersededBy }
  }
  if (theirs.leader === self) return { ...memory, highestTerm }
  const paired = theirs.mode === 'paired'
  return {
    ...memory,
    highestTerm,
    // A leader that says "alone" takes its word back, even where no later hostMeta can be stored.
    renewedTerm: paired && theirs.term > memory.voidMissedTerm ? theirs.term : 0,
    inDoubt: memory.inDoubt && !paired,
    lagBytes: says.followerBehindBytes,
  }
}

/**
 * A follower that sees neither leader nor gateway for two looks could not have seen the leader go alone,
 * for which the leader needs the gateway: its proof counts again when the leader has answered.
 */
function doubted(memory: Memory): Memory {
  return memory.gateway.silent >= 2 ? { ...memory, inDoubt: true, lagBytes: null } : memory
}

function stream(
  before: StreamMemory | null,
  seen: LeaderSighting,
  { meta, at }: Viewer & { readonly meta: HostMeta },
): StreamMemory {
  const reads = seen.slot === 'active' && seen.streaming
  const last = before?.term === meta.term ? before : null
  const { flushedBytes } = seen
  const caughtUp =
    reads && last !== null && flushedBytes !== null && flushedBytes >= last.seen.writtenBytes
  const readerGoneSince = reads ? null : (last?.readerGoneSince ?? at)
  return {
    term: meta.term,
    seen,
    readerGoneSince,
    caughtUp,
    unmovedSince: unmovedSince(last, seen, at),
    at,
  }
}

/**
 * A commit that waited is acknowledged only by what the reader flushes beyond it: where nothing more was
 * flushed, it waits on, or its client gave up: it stays written and unacknowledged (A8). kine's clients
 * do so within seconds, and what they write instead would look young for ever.
 */
function unmovedSince(last: StreamMemory | null, seen: LeaderSighting, at: number): number | null {
  const since = last?.unmovedSince ?? null
  // Commits wait for nobody any more: what waited was released, also where no reader will ever flush.
  if (!seen.synchronous && seen.oldestWaitMs === 0) return null
  // One look reads the waits first: what waited may be flushed by then, and nothing comes after it.
  if (seen.oldestWaitMs === 0 && (seen.flushedBytes ?? -1) >= seen.writtenBytes) return null
  if (since !== null && last?.seen.flushedBytes === seen.flushedBytes) return since
  return seen.oldestWaitMs > 0 ? at - seen.oldestWaitMs : null
}

/** Since the peer's agent was heard; null: never by this agent. @unit milliseconds */
export function heardAgoMs({ agent }: Memory, now: number): number | null {
  return agent.says === null ? null : Math.max(0, now - agent.heardAt)
}
