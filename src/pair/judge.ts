import type { Contact } from './contact.ts'
import type { Facts, Gateway, PeerFacts, Stream } from './facts.ts'
import { compareHostMeta, type HostMeta } from './host_meta.ts'
import { type Memory, waitMs } from './liveness.ts'
import {
  AGENT_GONE_MS,
  COMMIT_LOST_MS,
  POSTGRES_FAILED_MS,
  POSTGRES_RECOVERY_MS,
  type Timing,
} from './timing.ts'

/** The parts of the facts that are told from memory and clock alone. */
export type Judged = Pick<
  Facts,
  | 'gateway'
  | 'peer'
  | 'agentGone'
  | 'postgres'
  | 'disk'
  | 'room'
  | 'stream'
  | 'slot'
  | 'slotKeepsBytes'
  | 'followerDiffers'
  | 'lagBytes'
  | 'proven'
  | 'longGone'
>

export interface Judge {
  readonly now: number
  readonly timing: Timing
  readonly meta: HostMeta | null
  readonly metaDoubtful: boolean
  readonly acceptLossBytes: number
  /** How much longer than its leader a follower waits before it powers the other one off. */
  readonly followerDelayMs: number
}

export function judge(memory: Memory, by: Judge): Judged {
  const { meta } = by
  const peer = judgePeer(memory, by)
  const agentGone = memory.agent.missed > 0 && by.now - memory.agent.heardAt >= AGENT_GONE_MS
  const dueAt = promoteAt(memory.peer, by.timing) + by.followerDelayMs
  return {
    gateway: judgeGateway(memory, by),
    peer,
    agentGone,
    longGone: agentGone || (peer.contact === 'gone' && by.now >= dueAt),
    postgres: judgePostgres(memory, by.now),
    disk: memory.disk.room === 'full' ? 'full' : 'ok',
    room: memory.disk.room,
    stream: judgeStream(memory, by),
    slot: judgeSlot(memory, meta),
    slotKeepsBytes: memory.stream?.seen.keptBytes ?? 0,
    followerDiffers: memory.differsBy !== null && memory.differsBy === meta?.slot,
    lagBytes: memory.inDoubt ? null : memory.lagBytes,
    proven: isProven(memory, by),
  }
}

function isProven(memory: Memory, { meta, metaDoubtful, acceptLossBytes }: Judge): boolean {
  const { supersededBy, vouched, continued, gatewaySeen } = memory
  if (supersededBy !== null && meta !== null && compareHostMeta(supersededBy, meta) > 0)
    return false
  const recorded = meta?.mode === 'alone' && !metaDoubtful
  // Accepted loss lets a follower without a proof promote: then the record alone proves nothing.
  // Neither proves anything of a host that is cut off: its agent's deadlines began anew with it.
  return (
    vouched || (continued && gatewaySeen) || (recorded && (acceptLossBytes === 0 || gatewaySeen))
  )
}

/** The follower of a pair is lost: with its proof it promotes in silence. */
export function mayPromote(memory: Memory, by: Judge): boolean {
  const { contact } = judgePeer(memory, by)
  return by.meta?.mode === 'paired' && (contact === 'cut' || contact === 'gone')
}

function judgeGateway({ gateway }: Memory, { now, timing }: Judge): Gateway {
  if (lostForFence(gateway, now, timing)) return 'down'
  return gateway.silent === 0 ? 'up' : 'silent'
}

/**
 * An upgrade starts both agents anew at the same moment: a peer that was never heard is not silent yet.
 * Nothing is lost by it: kine has no permit after a boot, and a paired leader acknowledges nothing alone.
 */
const FIRST_LOOKS = 2

function judgePeer({ peer, agent }: Memory, { now, timing }: Judge): PeerFacts {
  if (agent.says !== null && agent.missed === 0) return { contact: 'answers', says: agent.says }
  if (isEnough(peer, timing) && now >= promoteAt(peer, timing)) return { contact: 'gone' }
  if (lostForFence(peer, now, timing)) return { contact: 'cut' }
  const brief = agent.missed <= (agent.says === null ? FIRST_LOOKS : 1)
  return { contact: brief ? 'missed' : 'silent' }
}

/**
 * The last of the looks need not have ended: the deadline is the clock's. It need not be late by one
 * either: a stall alone is no cut.
 */
function lostForFence(contact: Contact, now: number, timing: Timing): boolean {
  return contact.unanswered.length >= enoughToFence(timing) && now >= fenceAt(contact, timing)
}

/** Looks without which no silence is a cut: at its deadline the last one has not even begun. */
function enoughToFence({ failures }: Timing): number {
  return Math.max(1, failures - 2)
}

/**
 * From the sending of the last answered probe. Two failures leave one look to go by: it has to end, and
 * a single ping that is lost is no cut.
 */
function fenceAt({ sentAt }: Contact, { failures, fenceMs, probeTimeoutMs }: Timing): number {
  return sentAt + fenceMs + (failures === 2 ? probeTimeoutMs : 0)
}

function isEnough({ unanswered }: Contact, { failures }: Timing): boolean {
  return unanswered.length >= failures
}

/** See timing.ts: later than any leader's fence. */
function promoteAt({ arrivedAt, unanswered }: Contact, timing: Timing): number {
  const { promoteMs, fenceMs, probeTimeoutMs } = timing
  const [since = arrivedAt] = unanswered
  return Math.max(arrivedAt + promoteMs, since + fenceMs + probeTimeoutMs)
}

/** The next moment at which the clock alone changes what is judged: a round must not be later. */
export function deadline({ peer, gateway }: Memory, { now, timing }: Judge): number | null {
  const enough = enoughToFence(timing)
  const mayBeCut = peer.unanswered.length >= enough && gateway.unanswered.length >= enough
  const fence = mayBeCut ? Math.max(fenceAt(peer, timing), fenceAt(gateway, timing)) : Infinity
  const promote = isEnough(peer, timing) ? promoteAt(peer, timing) : Infinity
  const next = Math.min(...[fence, promote].filter((at) => at > now))
  return next === Infinity ? null : next
}

/** A commit that waits is looked at again when it will have waited too long, and not a round later (B7). */
export function lookAgainAt({ stream }: Memory, now: number): number | null {
  if (stream === null || waitMs(stream) < NOTABLE_WAIT_MS) return null
  const at = stream.at + COMMIT_LOST_MS - waitMs(stream) + 20
  return at > now ? at : null
}

const NOTABLE_WAIT_MS = 200

function judgePostgres({ postgres }: Memory, now: number): Facts['postgres'] {
  if (postgres.downSince === null) return 'up'
  const bound = postgres.starting || !postgres.wasUp ? POSTGRES_RECOVERY_MS : POSTGRES_FAILED_MS
  return now - postgres.downSince >= bound ? 'failed' : 'starting'
}

/** A sighting of another term says nothing of this one: its names and its slot were others. */
function judgeStream({ stream, agent }: Memory, { meta }: Judge): Stream {
  if (stream === null) return 'lost'
  // Before it stops, and not 1.5 s afterwards: no commit waits for one that goes by agreement (B7).
  if (agent.says?.leaving === true && agent.missed === 0) return 'lost'
  if (stream.term !== meta?.term) return 'behind'
  const { seen, readerGoneSince, at, caughtUp } = stream
  const readerLost = readerGoneSince !== null && at - readerGoneSince >= COMMIT_LOST_MS
  // "Paired" whose commits wait for nobody, or for one who is not told of them, is a lie, whoever took
  // the names or the publication away.
  const isLie = meta.mode === 'paired' && !(seen.synchronous && seen.published)
  if (waitMs(stream) > COMMIT_LOST_MS || readerLost || isLie) return 'lost'
  return caughtUp ? 'caught-up' : 'behind'
}

function judgeSlot({ stream }: Memory, meta: HostMeta | null): Facts['slot'] {
  if (stream === null || stream.term !== meta?.term) return 'ok'
  const { slot, published } = stream.seen
  if (slot === 'missing') return 'missing'
  // What was written while it was not published is not to be had from the slot any more (A2, B3).
  return slot === 'lost' || !published ? 'lost' : 'ok'
}
