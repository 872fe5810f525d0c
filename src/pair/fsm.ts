import { type ConditionName, CONDITIONS } from './conditions.ts'
import type { Decision, Facts, Goal } from './facts.ts'

/** One row of the table. The id is logged with every decision: never renamed, never reused. */
export interface Rule {
  readonly id: string
  readonly role: 'leader' | 'follower' | 'any'
  /** All of them hold. */
  readonly when: readonly ConditionName[]
  readonly goal: Goal
  readonly why: string
}

/**
 * The agent's decisions. First match wins; ids in brackets are rules of the trials that the design
 * rests on.
 */
// oxfmt-ignore
export const RULES: readonly Rule[] = [
  { id: 'uninitialised',      role: 'any',      when: ['uninitialised'],                                    goal: 'stay',   why: 'this host never belonged to a pair' },
  { id: 'thaw',               role: 'any',      when: ['askedToThaw'],                                      goal: 'thaw',   why: 'an operator has looked' },

  // A leader that may have been replaced stops before it does anything else.
  { id: 'late',               role: 'leader',   when: ['late', 'notImpaired'],                              goal: 'impair', why: 'our own round was late: another may lead by now (A8)' },
  { id: 'superseded',         role: 'any',      when: ['peerHigher'],                                       goal: 'adopt',  why: "the peer's hostMeta is higher" },
  { id: 'no-meta',            role: 'any',      when: ['noMeta'],                                           goal: 'wait',   why: 'no hostMeta that can be believed: the peer or an operator has to bring one' },
  { id: 'replaced',           role: 'any',      when: ['notInPair', 'notImpaired'],                         goal: 'impair', why: 'another host has taken the place of this one (B10)' },
  { id: 'stood-down',         role: 'any',      when: ['notInPair'],                                        goal: 'stay',   why: 'this host was replaced' },
  { id: 'forced-lead',        role: 'leader',   when: ['askedByForce', 'impairedOrUnproven', 'canServe'],   goal: 'go-alone', why: 'an operator says that this host leads, whatever the peer may have (A5)' },
  { id: 'hand-back',          role: 'leader',   when: ['givesBack', 'peerAgrees'],                          goal: 'hand-back', why: 'this host can not begin the branch that it was handed, and the old leader has everything (A7)' },
  { id: 'unproven',           role: 'leader',   when: ['notProven', 'notImpaired', 'peerNotMissed'],                         goal: 'impair', why: 'leading is not proven: the peer may have been promoted since (A5)' },
  { id: 'cut-off',            role: 'leader',   when: ['gatewayDown', 'peerCut', 'mayBeSupplanted', 'notImpaired'], goal: 'impair', why: 'gateway and peer are lost: the follower may take over (B6)' },
  { id: 'claim-lead',         role: 'leader',   when: ['claimDecides', 'notProven', 'paired', 'impaired', 'metaCertain', 'peerCut', 'gatewayUp', 'canServe', 'claimNotBarred'], goal: 'go-alone', why: 'the peer is silent: the claim says whether it was promoted since (A4, A5)' },
  { id: 'unproven-reads',     role: 'leader',   when: ['notProven', 'impaired', 'peerCut', 'postgresUp', 'begun', 'notHeld', 'readsDue'], goal: 'serve-reads', why: 'while it waits for its peer, what it has is read on this host alone, behind the fence (A5, B8)' },
  { id: 'unproven-wait',      role: 'leader',   when: ['notProven'],                                        goal: 'wait',   why: 'fenced until the peer, a claim that is won, or an operator says that nobody else leads (A4, A5)' },

  // A leader that can't serve, or was stopped.
  { id: 'yield',              role: 'leader',   when: ['cannotServe', 'paired', 'notPaused', 'notFrozen', 'peerAgrees', 'peerNotPaused', 'peerProven', 'peerSeesGateway', 'notHeld'], goal: 'yield', why: 'PostgreSQL is dead or the disk is full, and the follower can lead' },
  { id: 'recover',            role: 'leader',   when: ['impaired', 'canServe', 'notHeld', 'notCutOff'],             goal: 'recover', why: 'leading is proven again' },
  { id: 'impaired',           role: 'leader',   when: ['impaired'],                                         goal: 'stay',   why: 'impaired until this host can serve again' },

  // Modes.
  { id: 'doubtful-record',    role: 'leader',   when: ['metaDoubtful', 'peerAnswers', 'mayVoid', 'postgresUp'], goal: 'go-alone', why: 'the newest hostMeta is unreadable: what the older one says of the mode may be past' },
  { id: 'follower-differs',   role: 'leader',   when: ['paired', 'followerDiffers', 'postgresUp', 'peerAnswers', 'mayVoid'], goal: 'go-alone', why: "the follower's table is not this one's: it gives up its proof, and copies (A7)" },
  { id: 'go-alone-voided',    role: 'leader',   when: ['paired', 'streamLost', 'postgresUp', 'peerAnswers', 'mayVoid'], goal: 'go-alone', why: 'commits are not acknowledged; the peer answers and voids its proof first (B7)' },
  { id: 'forced-alone',       role: 'leader',   when: ['askedByForce', 'paired', 'streamLost', 'canServe', 'noVoid'], goal: 'go-alone', why: 'commits are not acknowledged, and an operator says that this host goes on, whatever the peer does (B7)' },
  { id: 'go-alone-claimed',   role: 'leader',   when: ['claimDecides', 'paired', 'streamLost', 'postgresUp', 'noVoid', 'gatewayUp', 'metaCertain', 'claimNotBarred'], goal: 'go-alone', why: 'commits are not acknowledged, and the peer is silent: the claim decides who goes on (A4, B7)' },
  { id: 'claim-missing',      role: 'leader',   when: ['claimDecides', 'paired', 'streamLost', 'postgresUp', 'noVoid'], goal: 'wait', why: 'under consistency going alone takes a claim (A4)' },
  { id: 'go-alone-fenced',    role: 'leader',   when: ['powerDecides', 'paired', 'streamLost', 'postgresUp', 'noVoid', 'gatewayUp', 'metaCertain', 'powerNotHeld'], goal: 'go-alone', why: 'commits are not acknowledged, and the peer is silent: it is powered off, and seen to be off, first (B7)' },
  { id: 'power-off-missing',  role: 'leader',   when: ['powerDecides', 'paired', 'streamLost', 'postgresUp', 'noVoid'], goal: 'wait', why: 'under consistency this leader goes alone when its peer is seen to be off' },
  { id: 'go-alone',           role: 'leader',   when: ['availability', 'paired', 'streamLost', 'postgresUp', 'noVoid', 'gatewayUp'], goal: 'go-alone', why: 'commits are not acknowledged, the peer is silent, and the gateway answers (B6, B7)' },
  { id: 'switchover',         role: 'leader',   when: ['askedToSwitch', 'paired', 'canServe', 'caughtUp', 'peerAgrees', 'peerSettled', 'peerProven', 'peerMayTake'], goal: 'hand-over', why: 'an operator asked for it (A7)' },
  { id: 'gateway-lost',       role: 'leader',   when: ['gatewayDown', 'paired', 'canServe', 'streamNotLost', 'notPaused', 'notFrozen', 'peerSeesGateway', 'peerNotPaused', 'peerAgrees', 'peerSettled', 'peerProven', 'notHeld', 'handOverNotPutOff'], goal: 'hand-over', why: 'the peer sees the gateway and we do not (B6)' },
  { id: 'renew-proof',        role: 'leader',   when: ['paired', 'settled', 'postgresUp', 'caughtUp', 'peerAgrees', 'peerSettled', 'peerWhole', 'peerVoided'], goal: 'pair', why: "the follower's proof of this term is void: it needs one of a new term" },
  { id: 'slot-missing',       role: 'leader',   when: ['alone', 'settled', 'postgresUp', 'notFrozen', 'roomForSlot', 'slotMissing'], goal: 'new-slot', why: 'made again by its old name, the slot would skip what was written since (B3)' },
  { id: 'slot-lost',          role: 'leader',   when: ['alone', 'settled', 'postgresUp', 'notFrozen', 'roomForSlot', 'slotUseless', 'peerAgrees'], goal: 'new-slot', why: 'the follower needs a new slot, and a copy (B3, B4)' },
  { id: 'pair',               role: 'leader',   when: ['alone', 'settled', 'postgresUp', 'notFrozen', 'caughtUp', 'slotThere', 'followerSame', 'peerAgrees', 'peerSettled', 'peerWhole', 'peerHasSlot'], goal: 'pair', why: 'the follower streams and has caught up (A3)' },
  { id: 'let-go',             role: 'leader',   when: ['alone', 'postgresUp', 'roomTight', 'slotKeepsMuch'],      goal: 'let-go', why: 'the disk fills with what is kept for the follower: it copies when there is room again (B3)' },
  { id: 'replacement',        role: 'leader',   when: ['askedToReplace', 'alone', 'settled', 'peerSilent'], goal: 'accept-replacement', why: 'alone, and the follower that is replaced is silent (B10)' },

  { id: 'restrict',           role: 'leader',   when: ['settled', 'restrictionDue', 'postgresUp'],          goal: 'restrict', why: 'what may be changed in Kubernetes is not what this mode allows' },

  // A follower's way to lead.
  { id: 'half-copy',          role: 'follower', when: ['askedByForce', 'copying'],                          goal: 'stay',   why: "this host's table is half a copy of the leader's: an older one that is whole may be in a schema twonode_branch_… (A3)" },
  { id: 'promote-forced',     role: 'follower', when: ['askedByForce', 'canServe'],                         goal: 'promote', why: 'an operator says that this host leads, whatever the peer may have' },
  { id: 'promote-asked',      role: 'follower', when: ['askedToPromote', 'canServe', 'peerCut', 'promotable'], goal: 'promote', why: 'an operator asked for it, the leader is silent, and the proof holds' },
  { id: 'leader-yields',      role: 'follower', when: ['leaderYields', 'canServe', 'notPaused', 'notFrozen', 'gatewayUp', 'promotable'], goal: 'promote', why: 'the leader stands still and lets us lead' },
  { id: 'handed-back',        role: 'follower', when: ['handedBack', 'canServe'],                           goal: 'promote', why: 'who was handed the lead could not take it up: this host still has everything (A7)' },
  { id: 'isolated',           role: 'follower', when: ['peerOrAgentGone', 'gatewayNotUp'],                  goal: 'stay',   why: 'we are cut off, and not the leader (B6)' },
  { id: 'paused',             role: 'follower', when: ['peerOrAgentGone', 'paused'],                        goal: 'stay',   why: 'the leader is gone, and an operator paused this host' },
  { id: 'frozen',             role: 'follower', when: ['peerOrAgentGone', 'frozen'],                        goal: 'stay',   why: 'the leader is gone, and too many changes in an hour froze this host' },
  { id: 'unable',             role: 'follower', when: ['peerOrAgentGone', 'unableToServe'],                 goal: 'stay',   why: "the leader is gone, and this host can't serve" },
  { id: 'promote-claimed',    role: 'follower', when: ['peerOrAgentGone', 'claimDecides', 'promotable', 'claimNotBarred'], goal: 'promote', why: 'the leader is gone, the gateway answers, and the proof holds: the claim decides who goes on (A4, B6)' },
  { id: 'claim-wanted',       role: 'follower', when: ['peerOrAgentGone', 'claimDecides', 'promotable'],     goal: 'wait',   why: 'under consistency a promotion takes a claim (A4)' },
  { id: 'promote-fenced',     role: 'follower', when: ['peerOrAgentGone', 'powerDecides', 'promotable', 'longGone', 'powerNotHeld'], goal: 'promote', why: 'the leader is gone, the gateway answers, and the proof holds: the leader is powered off, and seen to be off, first (B6)' },
  { id: 'power-off-wanted',   role: 'follower', when: ['peerOrAgentGone', 'powerDecides', 'promotable'], goal: 'wait', why: 'under consistency this host promotes when its leader is seen to be off; the leader goes first' },
  { id: 'promote',            role: 'follower', when: ['peerOrAgentGone', 'availability', 'promotable'],                    goal: 'promote', why: 'the leader is gone, the gateway answers, and the proof holds (B6)' },
  { id: 'promote-lagging',    role: 'follower', when: ['peerGone', 'availability', 'lagAccepted', 'notCopying'],          goal: 'promote', why: 'the leader is gone, and the site accepts the loss of what may be missing' },
  { id: 'no-proof',           role: 'follower', when: ['peerGone'],                                         goal: 'stay',   why: 'the leader is gone, and nothing proves that this host has all that was acknowledged (A3)' },

  { id: 'settle',             role: 'any',      when: ['settleDue'],                                        goal: 'settle', why: 'what hostMeta says is not known to be true on this host' },
  { id: 'hand-over-waits', role: 'leader',  when: ['gatewayDown', 'paired', 'peerSeesGateway', 'handOverPutOff'], goal: 'stay', why: 'the peer sees the gateway and we do not, but handing over failed when both kines stood still: the next attempt waits, longer each time' },
  { id: 'gateway-dead',       role: 'any',      when: ['gatewayDown', 'peerAnswers'],                       goal: 'stay',   why: 'the gateway is dead, and not one of us (B6)' },
  { id: 'steady',             role: 'any',      when: [],                                                   goal: 'stay',   why: 'nothing to do' },
]

/** Rules by which a host leads because an operator says so, whatever proof, claim or power-off is missing. */
export const FORCED_LEADS: ReadonlySet<string> = new Set(
  RULES.filter(
    ({ goal, when }) =>
      (goal === 'go-alone' || goal === 'promote') && when.includes('askedByForce'),
  ).map(({ id }) => id),
)

/** First match wins; the last row matches whatever the facts are. */
export function decide(facts: Facts, rules: readonly Rule[] = RULES): Decision {
  const role = facts.meta?.leader === facts.self ? 'leader' : 'follower'
  const found = rules.find(
    (rule) =>
      (rule.role === 'any' || rule.role === role) &&
      rule.when.every((name) => CONDITIONS[name].holds(facts)),
  )
  if (found === undefined) throw new Error('the rule table is not total: its last row must match')
  return { rule: found.id, goal: found.goal, why: found.why }
}

/** True if the decision takes up what was asked. */
export function takesUp({ rule, goal }: Decision): boolean {
  if (goal === 'stay') return false
  return RULES.find(({ id }) => id === rule)?.when.some((name) => REQUESTS.has(name)) === true
}

const REQUESTS: ReadonlySet<ConditionName> = new Set([
  'askedToThaw',
  'askedToPromote',
  'askedByForce',
  'askedToSwitch',
  'askedToReplace',
  'leaderYields',
  'handedBack',
])

/** Who sees what (B6): G the gateway, P the peer; and which rows say what happens. */
export interface SightRow {
  readonly leader: { readonly gateway: boolean; readonly peer: boolean; readonly lost?: true }
  readonly follower: { readonly gateway: boolean; readonly peer: boolean }
  readonly rules: { readonly leader: string; readonly follower: string }
  readonly outcome: string
}

const see = (gateway: boolean, peer: boolean) => ({ gateway, peer })

/** B6's table for a pair that is whole when the cut comes; a test holds RULES to it. */
// oxfmt-ignore
export const SIGHT_TABLE: readonly SightRow[] = [
  { leader: see(true, true),   follower: see(true, true),   rules: { leader: 'steady',       follower: 'steady' },       outcome: 'stay' },
  { leader: see(false, true),  follower: see(false, true),  rules: { leader: 'gateway-dead', follower: 'gateway-dead' }, outcome: 'stay: the gateway is dead' },
  { leader: see(false, true),  follower: see(true, true),   rules: { leader: 'gateway-lost', follower: 'steady' },       outcome: 'hand over by agreement' },
  { leader: see(true, true),   follower: see(false, true),  rules: { leader: 'steady',       follower: 'gateway-dead' }, outcome: 'stay' },
  { leader: see(true, false),  follower: see(true, false),  rules: { leader: 'go-alone',     follower: 'promote' },      outcome: 'availability: both write, by policy; consistency: only who wins the claim' },
  { leader: see(false, false), follower: see(true, false),  rules: { leader: 'cut-off',      follower: 'promote' },      outcome: 'leader impaired, follower promotes' },
  { leader: see(true, false),  follower: see(false, false), rules: { leader: 'go-alone',     follower: 'isolated' },     outcome: 'leader alone' },
  { leader: see(false, false), follower: see(false, false), rules: { leader: 'cut-off',      follower: 'isolated' },     outcome: 'nobody writes; heals without a copy' },
  { leader: { ...see(true, true), lost: true }, follower: see(true, true), rules: { leader: 'go-alone-voided', follower: 'steady' }, outcome: 'the peer voids its proof, then leader alone (B7)' },
]
