import { isObject } from '../core/json.ts'
import type { ForkPoint } from '../core/site.ts'
import type { Goal } from './facts.ts'
import type { HostMeta } from './host_meta.ts'

/** What carrying out a goal means: which tasks of role.yaml, and how pressing it is. */
export interface GoalSpec {
  /** Of role.yaml; null: nothing is converged. */
  readonly tags: readonly string[] | null
  /** Ends whoever holds the host's lock: the agent outranks a laptop. */
  readonly urgent: boolean
  /** A goal ends what is under way for a goal of a lower rank. */
  readonly rank: number
  /** What becomes of hostMeta before the converge, and after it; docs/fsm.md prints these. */
  readonly before: string
  readonly after: string
}

/** A converge that was begun and must be finished before anything else is called settled. */
export interface Owed {
  readonly tags: readonly string[]
  readonly urgent: boolean
}

const UNCHANGED = 'unchanged'

/** Every goal of the rule table. */
// oxfmt-ignore
export const GOALS: Readonly<Record<Goal, GoalSpec>> = {
  stay:      { tags: null,         urgent: false, rank: 0, before: UNCHANGED, after: UNCHANGED },
  wait:      { tags: null,         urgent: false, rank: 0, before: UNCHANGED, after: UNCHANGED },
  thaw:      { tags: null,         urgent: false, rank: 0, before: UNCHANGED, after: UNCHANGED },
  settle:    { tags: ['role'],     urgent: false, rank: 1, before: UNCHANGED, after: 'a leader whose branch has no fork point yet: what its marker says' },
  'new-slot': { tags: ['role'],    urgent: false, rank: 2, before: 'term + 1, the next slot name', after: UNCHANGED },
  restrict:  { tags: ['restrict'], urgent: false, rank: 1, before: UNCHANGED, after: UNCHANGED },
  'serve-reads': { tags: ['reads'], urgent: false, rank: 1, before: UNCHANGED, after: UNCHANGED },
  'let-go':  { tags: ['role'],     urgent: true,  rank: 2, before: 'term + 1, no slot', after: UNCHANGED },
  'accept-replacement': { tags: ['role'], urgent: false, rank: 2, before: 'the site file names the new host; term + 1, the new host in the place of the old one, its slot', after: UNCHANGED },
  pair:      { tags: ['pair'],     urgent: false, rank: 2, before: UNCHANGED, after: 'term + 1, mode paired; then the follower stores its proof of that term' },
  'hand-over': { tags: ['handover'], urgent: true, rank: 3, before: UNCHANGED, after: 'digests equal: term + 1, branch = term, leader = the peer, mode alone; then tags `role`' },
  recover:   { tags: ['role'],     urgent: true,  rank: 3, before: UNCHANGED, after: UNCHANGED },
  'go-alone': { tags: ['alone'],   urgent: true,  rank: 4, before: 'the peer answers: its proof is void first; else, under consistency, the claim is won or the peer seen to be off first; term + 1 or the one of the claim, mode alone', after: UNCHANGED },
  yield:     { tags: ['impair'],   urgent: true,  rank: 5, before: UNCHANGED, after: 'unchanged; then the peer is asked to promote' },
  'hand-back': { tags: null,       urgent: false, rank: 5, before: UNCHANGED, after: 'unchanged; then the peer is asked to lead again' },
  promote:   { tags: ['role'],     urgent: true,  rank: 6, before: 'under consistency the claim is won or the peer seen to be off first; term + 1 or the one of the claim, branch = term, leader = this host, mode alone, a first slot for the peer', after: 'the fork point of its marker' },
  adopt:     { tags: ['role'],     urgent: true,  rank: 7, before: "the peer's", after: 'as with settle' },
  impair:    { tags: ['impair'],   urgent: true,  rank: 8, before: UNCHANGED, after: UNCHANGED },
}

/** Further tasks of role.yaml, tagged `never`, that the agent runs by name. */
export const DIGEST_TAGS = ['digest'] as const

/** What every new version of hostMeta is given. */
export interface Stamp {
  readonly self: string
  /** ISO. */
  readonly wallTime: string
  /** No term that was ever spoken of or voided is used again. */
  readonly highestTerm: number
}

/** Promotion: a new branch, which this host leads alone. */
export function promoted(meta: HostMeta, stamp: Stamp): HostMeta {
  return newBranch(meta, stamp, { leader: stamp.self, began: 'promotion' })
}

/** A hand-over: a new branch, which the other host leads. */
export function handedOver(meta: HostMeta, stamp: Stamp): HostMeta {
  return newBranch(meta, stamp, { leader: otherThan(meta, stamp.self), began: 'handover' })
}

function newBranch(
  meta: HostMeta,
  stamp: Stamp,
  { leader, began }: { readonly leader: string; readonly began: 'promotion' | 'handover' },
): HostMeta {
  const term = nextTerm(meta, stamp)
  return {
    ...meta,
    term,
    branch: term,
    mode: 'alone',
    leader,
    slot: slotName(otherThan(meta, leader), term, 1),
    began,
    fork: null,
    hosts: meta.hosts.map((host) => ({
      ...host,
      role: host.name === leader ? 'leader' : 'follower',
    })),
    lastModified: stamp.wallTime,
  }
}

/** The leader acknowledges by itself from now on. */
export function alone(meta: HostMeta, stamp: Stamp): HostMeta {
  return { ...meta, term: nextTerm(meta, stamp), mode: 'alone', lastModified: stamp.wallTime }
}

/** A write is acknowledged only when both hosts have it. */
export function paired(meta: HostMeta, stamp: Stamp): HostMeta {
  return { ...meta, term: nextTerm(meta, stamp), mode: 'paired', lastModified: stamp.wallTime }
}

/** A slot is never used again: the next one has the next number (B3). */
export function withNewSlot(meta: HostMeta, stamp: Stamp): HostMeta {
  const follower = otherThan(meta, meta.leader)
  return {
    ...meta,
    term: nextTerm(meta, stamp),
    slot: slotName(follower, meta.branch, nextSlotNumber(meta, stamp)),
    lastModified: stamp.wallTime,
  }
}

/** The follower is let go: nothing is kept for it, and the next slot has a name of its own (B3). */
export function withoutSlot(meta: HostMeta, stamp: Stamp): HostMeta {
  return { ...meta, term: nextTerm(meta, stamp), slot: null, lastModified: stamp.wallTime }
}

/** Another host in the follower's place (B10). */
export function withReplacement(
  meta: HostMeta,
  stamp: Stamp,
  { name, address }: { readonly name: string; readonly address: string },
): HostMeta {
  return {
    ...meta,
    term: nextTerm(meta, stamp),
    slot: slotName(name, meta.branch, nextSlotNumber(meta, stamp)),
    hosts: meta.hosts.map((host) =>
      host.name === meta.leader ? host : { name, address, role: 'follower' },
    ),
    lastModified: stamp.wallTime,
  }
}

/** The fork point is written down once; the term stays, for nothing was decided. */
export function withFork(meta: HostMeta, fork: ForkPoint, wallTime: string): HostMeta {
  return { ...meta, fork, lastModified: wallTime }
}

/** True while the leader of a new branch has not written its marker, or has not said so. */
export function lacksFork(meta: HostMeta): boolean {
  return meta.began !== 'first' && meta.fork === null
}

/** A hand-over to a leader that has not begun: it and the old leader have the same, and nobody writes. */
export function isUnbegun(meta: HostMeta): boolean {
  return meta.began === 'handover' && meta.mode === 'alone' && lacksFork(meta)
}

/**
 * What a converge that failed knows of its branch's marker, without which nothing is written in it.
 * unread: it did not come so far; unknown: nor is that known.
 */
export function markerAfter(
  registered: Readonly<Record<string, unknown>> | undefined,
): 'there' | 'missing' | 'unread' | 'unknown' {
  if (registered === undefined) return 'unknown'
  const { fork, begun } = registered
  if (isObject(fork) && fork['exists'] !== false) return 'there'
  const rows: unknown = isObject(begun) ? begun['rows'] : undefined
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined
  return isObject(row) && row['marked'] === false ? 'missing' : 'unread'
}

/** The fork point that role.yaml's task registered as `fork`, if it did. */
export function forkOf(registered: Readonly<Record<string, unknown>>): ForkPoint | null {
  const found = registered['fork']
  const fork = isObject(found) ? (found['forkPoint'] ?? found['fork']) : undefined
  return isObject(fork) && isFork(fork) ? fork : null
}

function isFork(value: Record<string, unknown>): value is Record<string, unknown> & ForkPoint {
  const { from, slot, lsn, count, sum, max, compactRevision } = value
  return (
    [from, count, max, compactRevision].every((n) => typeof n === 'number') &&
    [slot, lsn].every((text) => text === null || typeof text === 'string') &&
    typeof sum === 'string'
  )
}

/** The digest of kine's table that role.yaml's task registered as `digest`, as one text; null: none. */
export function digestOf(registered: Readonly<Record<string, unknown>>): string | null {
  const found = registered['digest']
  const text = isObject(found) ? found['digest'] : undefined
  return typeof text === 'string' ? text : null
}

function nextTerm({ term }: HostMeta, { highestTerm }: Stamp): number {
  return Math.max(term, highestTerm) + 1
}

function otherThan(meta: HostMeta, name: string): string {
  const other = meta.hosts.find((host) => host.name !== name)
  if (other === undefined) throw new Error(`hostMeta has no host beside ${name}`)
  return other.name
}

/** PostgreSQL cuts longer names at 63: room for branch and number. */
const LONGEST_HOST = 40

/** `<peer>_<branch>_<n>`, as PostgreSQL takes it (B3). */
export function slotName(follower: string, branch: number, number: number): string {
  const name = follower.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')
  return `${name.slice(0, LONGEST_HOST)}_${branch}_${number}`
}

/**
 * A branch's first slot has number 1, and each later one a term of its own: while there is none, the
 * next term is a number that none has had.
 */
function nextSlotNumber(meta: HostMeta, stamp: Stamp): number {
  const number = /_(\d+)$/.exec(meta.slot ?? '')?.[1]
  return number === undefined ? nextTerm(meta, stamp) : Number(number) + 1
}
