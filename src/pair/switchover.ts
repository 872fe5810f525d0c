import { isObject, type Json, type JsonObject } from '../core/json.ts'

/**
 * How long writes stand still in a switchover: the leader's kine is stopped, the follower gets the last
 * write, both tables are digested, and the new leader's kine starts. What `npm run bench -- switchover` measures.
 * @unit milliseconds
 */
export const EXPECTED_GAP_MS = 2_000

/** What a switchover will do. */
export interface SwitchoverPlan {
  readonly from: string
  readonly to: string
  readonly term: number
}

export function planText({ from, to, term }: SwitchoverPlan): readonly string[] {
  return [
    `${from} leads and ${to} follows, a pair in term ${term}`,
    `nobody writes any more, ${to} gets the last write, and both tables are compared`,
    `if they are equal ${to} leads and ${from} follows: no copy, no jump of the revision; else, or if anything fails before, ${from} leads on`,
    `writes stand still for up to ${EXPECTED_GAP_MS / 1000} s; watches go on`,
  ]
}

/** What is followed, and how things were before. */
export interface Begun extends SwitchoverPlan {
  /** Tables of other histories on the host that led: one more is a copy. Null: not known. */
  readonly kept: number | null
}

/** Of the status of the host that led before, what a switchover is judged by. */
interface Standing {
  readonly leader: Json
  readonly term: number
  readonly branch: Json
  readonly mode: Json
  readonly isSettled: boolean
  readonly isPromotable: boolean
  /** The branch was handed over: hostMeta says so after both tables were found equal only (A7). */
  readonly isHandedOver: boolean
  readonly revision: number | null
  readonly kept: number | null
}

/** How a switchover stands. */
export type SwitchoverVerdict =
  | { readonly kind: 'going'; readonly waitsFor: string }
  | { readonly kind: 'done'; readonly proof: SwitchoverProof }
  /** The old leader leads, and serves. */
  | { readonly kind: 'back'; readonly why: string }

export interface SwitchoverProof {
  readonly leader: string
  readonly follower: string
  readonly term: number
  readonly branch: number
  /** False: the old leader fell silent half-way, and the new one promoted itself. */
  readonly handedOver: boolean
  /** Within it nobody could write, by the new leader's own clock. Null: its account was not heard. @unit milliseconds */
  readonly gapMs: number | null
  /** The last of before, and the new branch's marker. Null: a promotion, which jumps. */
  readonly revision: { readonly before: number; readonly after: number } | null
  readonly copied: boolean
}

/** Pure: `account` has the lines of both agents since it was asked for, as `timeline --json` gives them. */
export function judgeSwitchover(
  begun: Begun,
  status: JsonObject,
  account: readonly JsonObject[],
): SwitchoverVerdict {
  const { from, to } = begun
  const now = standingOf(status)
  if (now.leader === to) {
    if (now.mode !== 'paired' || !now.isSettled || !now.isPromotable || now.revision === null)
      return { kind: 'going', waitsFor: `${to} leads; ${from} to follow it, and both to be a pair` }
    return { kind: 'done', proof: proofOf(begun, now, account) }
  }
  const why = account.findLast((line) => line['kind'] === 'fault' && line['what'] === 'hand-over')
  if ((why !== undefined || now.term > begun.term) && now.isSettled)
    return { kind: 'back', why: textOf(why?.['message']) ?? `${from} leads in term ${now.term}` }
  return { kind: 'going', waitsFor: `both hosts to stand still with the same content` }
}

function proofOf(
  { from, to, kept }: Begun,
  { term, branch, isHandedOver, revision, kept: keptNow }: Standing,
  account: readonly JsonObject[],
): SwitchoverProof {
  return {
    leader: to,
    follower: from,
    term,
    branch: Number(branch),
    handedOver: isHandedOver,
    gapMs: isHandedOver ? gapOf(to, account) : null,
    // By agreement the marker is the next row: nothing was written in between (A7).
    revision: isHandedOver && revision !== null ? { before: revision, after: revision + 1 } : null,
    copied: (keptNow ?? 0) > (kept ?? 0),
  }
}

/** From when the new leader began to stop its kine, before the old one did, until it served in its role. */
function gapOf(to: string, account: readonly JsonObject[]): number | null {
  const own = account.filter((line) => line['host'] === to)
  const stopped = own.findIndex((line) => isDone(line, 'handover'))
  const served = own.slice(stopped + 1).find((line) => isDone(line, 'role'))
  const first = own[stopped]
  if (first === undefined || served === undefined) return null
  const gapMs = Number(served['upMs']) - Number(first['upMs']) + Number(first['ms'])
  return Number.isFinite(gapMs) ? gapMs : null
}

function isDone({ kind, outcome, tags }: JsonObject, tag: string): boolean {
  return (
    kind === 'converge' && outcome === 'done' && Array.isArray(tags) && tags.some((t) => t === tag)
  )
}

/** The proof as sentences. */
export function proofText(proof: SwitchoverProof): readonly string[] {
  const { leader, follower, term, branch, handedOver, gapMs, revision, copied } = proof
  const gap =
    gapMs === null ? [] : [`writes stood still for ${seconds(gapMs)} at most, by its clock`]
  const revisions =
    revision === null
      ? []
      : [`revision ${revision.before} before, ${revision.after} after: the new branch's marker`]
  return [
    `${leader} leads in term ${term}, branch ${branch}; ${follower} follows, and could take over`,
    ...gap,
    handedOver
      ? `nobody wrote when both tables were compared, and they were equal`
      : `${follower} did not hand over: it fell silent, and ${leader} promoted itself as after a failure`,
    ...revisions,
    copied ? `${follower} set its table aside and copied` : 'nothing was copied',
  ]
}

/** What is known of the host that leads before it is asked. */
export function begunFrom(plan: SwitchoverPlan, status: JsonObject): Begun {
  return { ...plan, kept: standingOf(status).kept }
}

function standingOf(status: JsonObject): Standing {
  const { leader = null, term, branch = null, mode = null, settled, promotable } = status
  const { began, fork, keptAside } = status
  const max = isObject(fork) ? fork['max'] : undefined
  return {
    leader,
    term: Number(term),
    branch,
    mode,
    isSettled: settled === 'yes',
    isPromotable: promotable === true,
    isHandedOver: began === 'handover',
    revision: typeof max === 'number' ? max : null,
    kept: Array.isArray(keptAside) ? keptAside.length : null,
  }
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
