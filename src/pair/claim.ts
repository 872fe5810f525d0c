import { isObject, parseJson } from '../core/json.ts'
import type { Decision, Facts } from './facts.ts'
import { FORCED_LEADS } from './fsm.ts'
import type { HostMeta } from './host_meta.ts'

/**
 * The one object of a site that a witness keeps (A4). Whoever goes alone or promotes without its peer's
 * consent swaps it first, and of two that try one wins. There is no lease and no renewal: a paired leader
 * needs no witness, for it can not acknowledge without its follower.
 */
export interface Claim {
  readonly format: number
  readonly site: string
  readonly term: number
  readonly holder: string
  readonly mode: 'paired' | 'alone'
  /** New with each attempt: who reads its own has won, whatever became of the answers. */
  readonly nonce: string
}

export const CLAIM_FORMAT = 1

/** No claim is longer than this; what is, is none. @unit bytes */
export const CLAIM_BYTES = 4096

/**
 * The claim that a witness keeps for this site. Strict: what is torn, or someone else's, decides nothing.
 * @throws Error in words for what is no claim of this site
 */
export function parseClaim(text: string, site: string): Claim {
  const parsed = text.length > CLAIM_BYTES ? undefined : parseJson(text)
  if (!isObject(parsed)) throw new Error('what it keeps is no claim')
  const { format, site: of, term, holder, mode, nonce, ...rest } = parsed
  if (format !== CLAIM_FORMAT) throw new Error(`the claim's format is not ${CLAIM_FORMAT}`)
  if (of !== site) throw new Error(`the claim is of site ${JSON.stringify(of)}, not ${site}`)
  const isCount = typeof term === 'number' && Number.isSafeInteger(term) && term >= 1
  const isMode = mode === 'paired' || mode === 'alone'
  if (!isCount || !isMode || !isName(holder) || !isName(nonce) || Object.keys(rest).length > 0)
    throw new Error('the claim is torn, or none of ours')
  return { format, site: of, term, holder, mode, nonce }
}

export function serialiseClaim({ site, term, holder, mode, nonce }: Claim): string {
  return `${JSON.stringify({ format: CLAIM_FORMAT, site, term, holder, mode, nonce })}\n`
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 253
}

/** Whose act the claim decides. */
export interface Claimant {
  readonly self: string
  readonly meta: HostMeta
  /** The highest term that anyone has spoken of, or whose proof was voided. */
  readonly highestTerm: number
  readonly nonce: string
  /** An operator's word: whoever holds it. */
  readonly forced: boolean
}

/** What a host that would lead alone may do with the claim that it has read. */
export type Taking =
  | { readonly kind: 'swap'; readonly row: string; readonly next: Claim }
  | { readonly kind: 'refused'; readonly row: string; readonly why: string }

interface TakingRow {
  readonly id: string
  readonly when: (claim: Claim, by: Claimant) => boolean
  readonly verdict: 'swap' | 'refused'
  readonly why: string
}

/** A claim that is not above our hostMeta was used, or given up, before our hostMeta was made. */
const isAbove = ({ term }: Claim, { meta }: Claimant) => term > meta.term

/**
 * First match wins. Why a claim that is not above our own hostMeta may be taken, whoever holds it: this
 * host is a leader that is recorded as paired, or the follower with that term's proof. Neither leaves
 * that state without the other but by a claim of a higher term, and what they leave it by together (a void
 * proof, a hand-over) ends the other one's right on its own disk. So the claim need not be up to date for
 * one of the two to win it, and never both do: they swap one object. Nothing is won without a swap, not by
 * a claim of our own that was read and won before a restart: what gives it up may be on its way still, and
 * a swap outdates it.
 */
// oxfmt-ignore
export const TAKING: readonly TakingRow[] = [
  { id: 'forced',        when: (_, { forced }) => forced,                                                      verdict: 'swap',    why: 'an operator says that this host leads' },
  { id: 'own',           when: (claim, by) => isOwn(claim, by) && isAlone(claim),                              verdict: 'swap',    why: 'each time that this host goes alone it takes a new term, though it won this one and never used it' },
  { id: 'held-by-other', when: (claim, by) => isAlone(claim) && isAbove(claim, by),                            verdict: 'refused', why: 'the other host holds it: only an operator takes it away' },
  { id: 'newer',         when: isAbove,                                                                        verdict: 'refused', why: 'it is of a later pair than the one that this host knows' },
  { id: 'past',          when: () => true,                                                                     verdict: 'swap',    why: 'nobody has gone alone since this pair was made' },
]

/** What may be made of the claim by a host that its facts let lead. */
export function taking(claim: Claim, by: Claimant): Taking {
  const row = TAKING.find(({ when }) => when(claim, by))
  if (row === undefined) throw new Error('the table of claims is not total')
  const { id, verdict, why } = row
  if (verdict === 'refused')
    return { kind: 'refused', row: id, why: `${why} (${claimText(claim)})` }
  const { self, meta, highestTerm, nonce } = by
  const term = Math.max(meta.term, highestTerm, claim.term) + 1
  const next = { format: CLAIM_FORMAT, site: meta.site, term, holder: self, mode: 'alone', nonce }
  return { kind: 'swap', row: id, next: { ...next, mode: 'alone' } }
}

/** What the claim of a host that does not change its mode should say; null: it may stay. */
export interface Keeping {
  readonly row: string
  readonly next: Claim
}

interface KeepingRow {
  readonly id: string
  /** A claim of null: the witness has none yet. */
  readonly when: (claim: Claim | null, facts: Known) => boolean
  readonly why: string
}

type Known = Facts & { readonly meta: HostMeta }

/**
 * First match wins. A claim is kept true in the background, and nothing waits for it: that one object
 * says who leads, and a host whose disk was restored from an earlier day takes none that is later. What
 * another host holds alone above our term is given back by that host, or taken by an operator.
 */
// oxfmt-ignore
export const KEEPING: readonly KeepingRow[] = [
  { id: 'create',    when: (claim, f) => claim === null && isPaired(f), why: 'a leader that is paired, and hears its follower, makes the first one' },
  { id: 'paired',    when: (claim, f) => claim !== null && isPaired(f) && isOurs(claim, f), why: 'a leader that is paired says so, if nobody else has won the claim since' },
  { id: 'alone',     when: (claim, f) => claim !== null && isAloneHere(f) && claim.term !== f.meta.term && isOurs(claim, f) && !isUnused(claim, f), why: 'a leader that went alone by a void proof, or was handed the lead, says so, if nobody else has won the claim since' },
  { id: 'give-back', when: (claim, f) => claim !== null && isOwn(claim, f) && isAlone(claim) && followsWell(f), why: 'a follower that won the claim, and whose leader is well, gives it back' },
]

/** What is to be written so that the claim is true; null: nothing, or it is not ours to write. */
export function keeping(claim: Claim | null, facts: Facts, nonce: string): Keeping | null {
  const { meta } = facts
  if (meta === null || facts.metaDoubtful) return null
  const known = { ...facts, meta }
  const row = KEEPING.find(({ when }) => when(claim, known))
  if (row === undefined) return null
  const { site, term, leader: holder, mode } = meta
  if (claim?.term === term && claim.holder === holder && claim.mode === mode) return null
  return { row: row.id, next: { format: CLAIM_FORMAT, site, term, holder, mode, nonce } }
}

/** A leader that is alone, and whose claim does not say so yet: an operator's word went before it. */
export function owesClaim(
  { meta, self }: { readonly meta: HostMeta | null; readonly self: string },
  seenTerm: number,
): boolean {
  return meta !== null && meta.leader === self && meta.mode === 'alone' && seenTerm < meta.term
}

/**
 * In words, what a leader finds that went alone while the witness was silent, by an operator's word: the
 * other host has won the claim since, and may lead beside it. Null: it has not.
 */
export function contested(claim: Claim, facts: Facts): string | null {
  const { meta, self } = facts
  if (meta === null || meta.leader !== self || meta.mode !== 'alone') return null
  const isRival = !isOwn(claim, facts) && meta.hosts.some(({ name }) => name === claim.holder)
  if (!isRival || !isAlone(claim) || claim.term < meta.term) return null
  return `${claim.holder} has won it meanwhile (${claimText(claim)}), and may take writes beside this host, which leads in term ${meta.term}: when they hear each other the higher branch leads, and what the other one took is saved there`
}

function isOwn({ holder }: Claim, { self }: { readonly self: string }): boolean {
  return holder === self
}

function isAlone({ mode }: Claim): boolean {
  return mode === 'alone'
}

/** Nobody else rests on it: of an earlier term than ours, or of a host that was replaced. */
function isOurs(claim: Claim, { self, meta }: Known): boolean {
  const isStranger = !meta.hosts.some(({ name }) => name === claim.holder)
  return isOwn(claim, { self }) || claim.term <= meta.term || isStranger
}

/** Our own, of a term that we do not lead in: the next one that is written is above it. */
function isUnused(claim: Claim, { self, meta }: Known): boolean {
  return isOwn(claim, { self }) && claim.term > meta.term
}

function isLeading({ meta, self, proven, impaired, settled }: Known): boolean {
  return meta.leader === self && proven && !impaired && settled === 'yes'
}

/** The pair is made, and its follower has the proof of it. */
function isPaired(facts: Known): boolean {
  const { meta, peer } = facts
  if (!isLeading(facts) || meta.mode !== 'paired' || peer.contact !== 'answers') return false
  return peer.says.proofTerm === meta.term && peer.says.meta?.term === meta.term
}

function isAloneHere(facts: Known): boolean {
  return isLeading(facts) && facts.meta.mode === 'alone' && facts.unbegun === 'no'
}

/** It follows a leader that answers, and both say the same. */
function followsWell({ meta, self, peer }: Known): boolean {
  if (meta.leader === self || peer.contact !== 'answers') return false
  const { meta: theirs } = peer.says
  return (
    theirs?.term === meta.term && theirs.branch === meta.branch && theirs.leader === meta.leader
  )
}

/** An operator's word, and a lead that the other host gives back, need no claim (A5, A7). */
const WITHOUT_CLAIM: ReadonlySet<string> = new Set([...FORCED_LEADS, 'handed-back'])

/**
 * True if a host must win the claim before it leads alone. `voided`: its peer has its void proof on its
 * disk, and so can not lead whatever comes (B7).
 */
export function needsClaim(
  { policy }: Pick<Facts, 'policy'>,
  { rule, goal }: Pick<Decision, 'rule' | 'goal'>,
  voided: boolean,
): boolean {
  const decides = policy.partition === 'consistency' && policy.fencing === undefined
  if (!decides || voided) return false
  return (goal === 'go-alone' || goal === 'promote') && !WITHOUT_CLAIM.has(rule)
}

/** For people. */
export function claimText({ term, holder, mode }: Claim): string {
  return mode === 'alone'
    ? `${holder} alone, term ${term}`
    : `a pair led by ${holder}, term ${term}`
}
