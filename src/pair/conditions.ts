import { isAtLeast } from './disk_budget.ts'
import { type Facts, isSilent, type PeerSays } from './facts.ts'
import { lacksFork } from './goals.ts'
import { compareHostMeta, sameHostMeta, winner } from './host_meta.ts'

/** A predicate of the rule table: its name stands in the rows, its words in docs/fsm.md. */
interface Condition {
  readonly words: string
  readonly holds: (facts: Facts) => boolean
}

/** What the rows of the rule table are made of. */
export const CONDITIONS = {
  uninitialised: c('never belonged to a pair', (f) => !f.initialised),
  noMeta: c('has no hostMeta', (f) => f.meta === null),
  notInPair: c(
    'hostMeta does not name it',
    (f) => f.meta !== null && !f.meta.hosts.some(({ name }) => name === f.self),
  ),
  metaCertain: c('the newest hostMeta can be read', (f) => !f.metaDoubtful),
  metaDoubtful: c("the newest hostMeta can't be read", (f) => f.metaDoubtful),
  notPaused: c('not paused', (f) => !f.paused),
  paused: c('paused', (f) => f.paused),
  notFrozen: c('not frozen', (f) => !f.frozen),
  frozen: c('frozen by the flap guard', (f) => f.frozen),
  late: c('its own round was late', (f) => f.late),
  impaired: c('impaired', (f) => f.impaired),
  notImpaired: c('not impaired', (f) => !f.impaired),
  notProven: c('leading is not proven', (f) => !f.proven),
  impairedOrUnproven: c('impaired, or leading is not proven', (f) => f.impaired || !f.proven),
  paired: c('mode paired', (f) => f.meta?.mode === 'paired'),
  alone: c('mode alone', (f) => f.meta?.mode === 'alone'),
  mayBeSupplanted: c(
    'mode paired, or loss is accepted',
    (f) => f.meta?.mode === 'paired' || f.policy.acceptLossBytes > 0,
  ),
  notCutOff: c(
    'not lost by gateway and peer, or alone without accepted loss',
    (f) =>
      f.gateway !== 'down' ||
      !['cut', 'gone'].includes(f.peer.contact) ||
      (f.meta?.mode === 'alone' && f.policy.acceptLossBytes === 0),
  ),
  settled: c('settled', (f) => f.settled === 'yes'),
  settleDue: c('settling is due', (f) => f.settled === 'due'),

  availability: c('partition: availability', (f) => f.policy.partition === 'availability'),
  claimDecides: c(
    'partition: consistency by a witness',
    (f) => f.policy.partition === 'consistency' && f.policy.fencing === undefined,
  ),
  powerDecides: c(
    'partition: consistency by power-off',
    (f) => f.policy.partition === 'consistency' && f.policy.fencing !== undefined,
  ),
  gatewayUp: c('gateway answers', (f) => f.gateway === 'up'),
  gatewayNotUp: c('gateway does not answer', (f) => f.gateway !== 'up'),
  gatewayDown: c('gateway lost for the fence time', (f) => f.gateway === 'down'),

  peerHigher: c("the peer's hostMeta is higher", higher),
  peerAnswers: c('peer answers', (f) => says(f) !== null),
  peerNotMissed: c(
    'peer heard, or silent for longer than a look',
    (f) => f.peer.contact !== 'missed',
  ),
  peerSilent: c('peer silent', (f) => isSilent(f.peer)),
  peerCut: c('peer lost for the fence time', (f) => ['cut', 'gone'].includes(f.peer.contact)),
  peerGone: c('peer gone', (f) => f.peer.contact === 'gone'),
  peerOrAgentGone: c(
    'peer gone, or its agent for 20 s',
    (f) => f.peer.contact === 'gone' || f.agentGone,
  ),
  noVoid: c('peer silent, or it can not void its proof', (f) => isSilent(f.peer) || f.voidRefused),
  mayVoid: c('void proof not refused', (f) => !f.voidRefused),
  peerSeesGateway: c('peer sees the gateway', (f) => says(f)?.gateway === 'up'),
  peerNotPaused: c('peer not paused', (f) => says(f)?.paused === false),
  peerAgrees: c('peer has the same hostMeta', agrees),
  peerMayTake: c(
    'peer not paused, or meant all the same',
    (f) =>
      says(f)?.paused === false ||
      (f.asked?.kind === 'switchover' && f.asked.thoughPaused === true),
  ),
  peerSettled: c('peer settled', (f) => says(f)?.settled === true),
  peerWhole: c("peer's copy is whole", (f) => says(f)?.whole === true),
  peerProven: c('peer has the proof', (f) => f.meta !== null && says(f)?.proofTerm === f.meta.term),
  peerVoided: c(
    "peer's proof of this term is void",
    (f) => f.meta !== null && (says(f)?.voided ?? 0) >= f.meta.term,
  ),

  postgresUp: c('PostgreSQL up', (f) => f.postgres === 'up'),
  canServe: c('PostgreSQL up, disk not full', (f) => f.postgres === 'up' && f.disk === 'ok'),
  cannotServe: c(
    'PostgreSQL failed, or disk full',
    (f) => f.postgres === 'failed' || f.disk === 'full',
  ),
  unableToServe: c(
    'PostgreSQL not up, or disk full',
    (f) => f.postgres !== 'up' || f.disk === 'full',
  ),
  givesBack: c(
    'can not begin the branch that it was handed, or has given it back',
    (f) =>
      f.unbegun === 'given-back' ||
      (f.unbegun === 'untouched' && (f.postgres === 'failed' || f.disk === 'full')),
  ),
  streamLost: c('commits or their reader lost', (f) => f.stream === 'lost'),
  streamNotLost: c('commits acknowledged', (f) => f.stream !== 'lost'),
  caughtUp: c('follower caught up', (f) => f.stream === 'caught-up'),
  slotThere: c('slot there', (f) => f.slot === 'ok' && f.meta?.slot !== null),
  slotMissing: c('slot missing', (f) => f.slot === 'missing' && f.meta?.slot !== null),
  followerDiffers: c('the digests of both tables differed', (f) => f.followerDiffers),
  followerSame: c('no digests differed', (f) => !f.followerDiffers),
  slotUseless: c(
    'slot lost or none, or not all of it published, or the follower stuck at it or no copy',
    (f) => f.slot === 'lost' || f.meta?.slot === null || f.followerDiffers || stuck(f),
  ),
  slotKeepsMuch: c(
    'its slot keeps 64 MB of WAL or more',
    (f) => f.meta?.slot !== null && f.slotKeepsBytes >= WORTH_LETTING_GO_BYTES,
  ),
  roomTight: c('the disk is almost full', (f) => isAtLeast(f.room, 'tight')),
  roomForSlot: c('the disk is not almost full', (f) => !isAtLeast(f.room, 'tight')),
  peerHasSlot: c('follower is not stuck', (f) => says(f)?.lacksSlot === false),

  promotable: c('the proof holds', (f) => f.promotable),
  notCopying: c('its table is whole', (f) => !f.copying),
  copying: c('its table is half a copy', (f) => f.copying),
  lagAccepted: c(
    'acceptLoss allows the known lag',
    ({ lagBytes, policy }) =>
      policy.acceptLossBytes > 0 && lagBytes !== null && lagBytes <= policy.acceptLossBytes,
  ),
  claimNotBarred: c('the claim may be had', (f) => !f.claimBarred),
  powerNotHeld: c('no attempt at its power failed just now', (f) => !f.powerHeld),
  longGone: c(
    "peer gone for fencing's followerDelay longer, or its agent for 20 s",
    (f) => f.longGone,
  ),
  notHeld: c('no hand-over was refused just now', (f) => !f.handOverHeld),
  handOverPutOff: c(
    'a hand-over failed that had stopped kine, and the next is not due yet',
    (f) => f.handOverPutOff,
  ),
  handOverNotPutOff: c(
    'no hand-over that had stopped kine failed, or the next is due',
    (f) => !f.handOverPutOff,
  ),

  restrictionDue: c(
    'what may be changed is not what the mode allows',
    (f) => f.restriction === 'due',
  ),

  begun: c('its branch has begun', (f) => f.meta !== null && !lacksFork(f.meta)),
  readsDue: c('a cold start, and what it has can not be read yet', (f) => f.reads === 'due'),

  askedToThaw: c('asked to thaw', (f) => f.asked?.kind === 'thaw'),
  askedToPromote: c('asked to promote', (f) => f.asked?.kind === 'promote'),
  askedByForce: c('asked to promote by force', (f) => f.asked?.kind === 'promote' && f.asked.force),
  askedToSwitch: c('asked to switch over', (f) => f.asked?.kind === 'switchover'),
  askedToReplace: c('asked to replace the peer', (f) => f.asked?.kind === 'replacement'),
  leaderYields: c(
    'the leader yields',
    (f) => f.asked?.kind === 'yielded' && f.asked.term === f.meta?.term,
  ),
  handedBack: c(
    'the lead is handed back',
    (f) => f.asked?.kind === 'handed-back' && f.asked.term === f.meta?.term,
  ),
} as const satisfies Record<string, Condition>

/** Four segments of WAL: to let a follower go for less gives the disk nothing. @unit bytes */
const WORTH_LETTING_GO_BYTES = 64 * 1024 * 1024

export type ConditionName = keyof typeof CONDITIONS

function c(words: string, holds: Condition['holds']): Condition {
  return { words, holds }
}

function says({ peer }: Facts): PeerSays | null {
  return peer.contact === 'answers' ? peer.says : null
}

/** True if the pair should go by the peer's hostMeta from now on. */
function higher(facts: Facts): boolean {
  const theirs = says(facts)?.meta ?? null
  if (theirs === null) return false
  const { meta } = facts
  if (meta === null) return true
  if (compareHostMeta(theirs, meta) !== 0) return compareHostMeta(theirs, meta) > 0
  return !sameHostMeta(theirs, meta) && winner(theirs, meta) === theirs
}

function agrees(facts: Facts): boolean {
  const theirs = says(facts)?.meta ?? null
  return theirs !== null && facts.meta !== null && sameHostMeta(theirs, facts.meta)
}

/** Streaming, it needs nothing, and its trouble is over: but for a copy, which may stick beside its stream (A3). */
function stuck(facts: Facts): boolean {
  const said = says(facts)
  return said?.lacksSlot === true && (facts.stream === 'lost' || !said.whole)
}
