import { randomBytes } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { isObject, type JsonObject } from '../core/json.ts'
import { FORMATS, judgeFormat } from '../pair/formats.ts'
import { type HostMeta, parseHostMeta, serialiseHostMeta } from '../pair/host_meta.ts'
import type { HandOverAnswer, HandOverRequest, Heard, PeerAnswer } from './ports.ts'
import type { Content } from './salvage/content.ts'

/** Of the messages, as {@link FORMATS} has it. */
export const PEER_FORMAT = FORMATS.speaks

/** The largest message that is read, either way. @unit bytes */
export const MESSAGE_BYTES = 64 * 1024

/**
 * No pair gets there by counting (a change a second for thirty years), and from a term without room
 * above it nobody could be promoted any more: whoever claims a higher one lies.
 */
const HIGHEST_TERM = 1_000_000_000

const PHASES = ['digest', 'cancel', 'take', 'yield', 'back'] as const

/** Who talks to whom. */
export interface Pair {
  readonly site: string
  readonly self: string
  readonly peer: string
}

/** What an agent says of itself. */
export type PeerStatus = Omit<PeerAnswer, keyof Heard>

const REASONS = [
  'format',
  'site',
  'host',
  'message',
  'route',
  'size',
  'certificate',
  'token',
  'refused',
  'busy',
  'fault',
] as const

/** Why a message is not taken; `reason` is for programs. */
export type Reason = (typeof REASONS)[number]

/** What came is no message of ours. Its words never quote it at length: it may be anything. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage'
  readonly reason: Reason

  constructor(reason: Reason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** What every message carries. The nonce ties an answer to its question. */
export interface Envelope {
  readonly format: number
  readonly site: string
  readonly nonce: string
}

export function newEnvelope(site: string): Envelope {
  return { format: PEER_FORMAT, site, nonce: randomBytes(12).toString('hex') }
}

/** The envelope of a message, and the fields that are its own. */
export function openEnvelope(
  message: unknown,
  site: string,
): { readonly envelope: Envelope; readonly fields: Record<string, unknown> } {
  if (!isObject(message)) throw new BadMessage('message', 'the message is no JSON object')
  const { format, site: from, nonce, ...fields } = message
  if (typeof format !== 'number' || judgeFormat(format) !== 'read')
    throw new BadMessage(
      'format',
      `this agent speaks format ${PEER_FORMAT}, and the other ${typeof format === 'number' ? format : 'none'}: upgrade the older twonode`,
    )
  if (from !== site)
    throw new BadMessage('site', `this host is of site ${site}, not of the one named`)
  if (typeof nonce !== 'string' || !/^[0-9a-f]{8,64}$/.test(nonce))
    throw new BadMessage('message', 'the nonce is missing or malformed')
  return { envelope: { format, site: from, nonce }, fields }
}

/** The fields of an answer. @throws BadMessage if it answers another question, or refuses */
export function openAnswer(answer: unknown, asked: Envelope): Record<string, unknown> {
  if (isObject(answer) && isObject(answer['error'])) {
    const { reason, message } = answer['error']
    throw new BadMessage(isReason(reason) ? reason : 'fault', `the peer refuses: ${shown(message)}`)
  }
  const { envelope, fields } = openEnvelope(answer, asked.site)
  if (envelope.nonce !== asked.nonce)
    throw new BadMessage('message', 'the answer belongs to another question')
  return fields
}

/** A refusal as it is sent. */
export function refusalMessage({ reason, message }: BadMessage): JsonObject {
  return { format: PEER_FORMAT, error: { reason, message } }
}

/** A status as it is sent: these fields and no others, hostMeta as its file's text. */
export function statusMessage(envelope: Envelope, status: PeerStatus): JsonObject {
  const { host, bootId, meta, gateway, paused, impaired, settled, whole, lacksSlot } = status
  const { proofTerm, voided, followerBehindBytes } = status
  const text = meta === null ? null : serialiseHostMeta(meta)
  const flags = { gateway, paused, impaired, settled, whole, lacksSlot }
  const counts = { proofTerm, voided, followerBehindBytes }
  // Only where it is so: an agent of before knows no such field.
  const goes = status.leaving === true ? { leaving: true } : {}
  return { ...envelope, ...goes, host, bootId, meta: text, ...flags, ...counts }
}

/**
 * Reads one status of the peer after the other. Their hostMeta is nearly always the text of before, and
 * parsing it anew took more memory than the rest of a round: the newest is held, and no other.
 */
export class StatusReader {
  readonly #pair: Pair
  #newest: { readonly text: string; readonly meta: HostMeta } | undefined

  constructor(pair: Pair) {
    this.#pair = pair
  }

  /** @throws BadMessage for what can't be true of this pair */
  read(fields: Record<string, unknown>): PeerStatus {
    const { host, bootId, meta: text, ...said } = fields
    const { peer } = this.#pair
    if (host !== peer)
      throw new BadMessage('host', `the peer calls itself ${shown(host)}, and is ${peer}`)
    if (typeof bootId !== 'string' || bootId.length > 64) throw wrong('bootId')
    const meta = text === null ? null : this.#metaOf(text)
    return { host, bootId, meta, ...parseWord(said, meta?.term ?? 0) }
  }

  #metaOf(text: unknown): HostMeta {
    if (typeof text !== 'string') throw wrong('meta')
    if (this.#newest?.text !== text) this.#newest = { text, meta: parseMeta(text, this.#pair) }
    return this.#newest.meta
  }
}

/** What it says of itself beside hostMeta. */
function parseWord(
  said: Record<string, unknown>,
  term: number,
): Omit<PeerStatus, 'host' | 'bootId' | 'meta'> {
  const { leaving, gateway, paused, impaired, settled, whole, lacksSlot, ...counts } = said
  const { proofTerm, voided, followerBehindBytes, ...rest } = counts
  refuseUnknown(rest)
  if (gateway !== 'up' && gateway !== 'down') throw wrong('gateway')
  if (!isFlag(paused)) throw wrong('paused')
  if (!isFlag(impaired)) throw wrong('impaired')
  if (!isFlag(settled)) throw wrong('settled')
  if (!isFlag(whole)) throw wrong('whole')
  if (!isFlag(lacksSlot)) throw wrong('lacksSlot')
  if (proofTerm !== null && !isTerm(proofTerm)) throw wrong('proofTerm')
  if (proofTerm !== null && proofTerm > term)
    throw new BadMessage('message', `its proof is for term ${proofTerm}, which it is not in`)
  if (voided !== 0 && !isTerm(voided)) throw wrong('voided')
  if (followerBehindBytes !== null && !isBytes(followerBehindBytes))
    throw wrong('followerBehindBytes')
  if (leaving !== undefined && leaving !== true) throw wrong('leaving')
  const flags = { gateway, paused, impaired, settled, whole, lacksSlot } as const
  const goes = leaving === true ? ({ leaving } as const) : {}
  return { ...flags, ...goes, proofTerm, voided, followerBehindBytes }
}

/** hostMeta as the peer has it: it must be this pair's. */
function parseMeta(text: string, { site, peer }: Pair): HostMeta {
  const meta = parsedMeta(text)
  if (meta.site !== site) throw new BadMessage('site', "the peer's hostMeta is of another site")
  if (meta.term > HIGHEST_TERM)
    throw new BadMessage('message', `a term of ${meta.term} can not be reached by counting`)
  // Without us it says that another has taken our place (B10); without itself it lies.
  if (meta.hosts.every(({ name }) => name !== peer))
    throw new BadMessage('message', `the peer's hostMeta does not name ${peer} itself`)
  return meta
}

function parsedMeta(text: string): HostMeta {
  try {
    return parseHostMeta(text)
  } catch (error) {
    const words = messageOf(error)
    throw new BadMessage('message', `the peer's hostMeta: ${shown(words)}`)
  }
}

/** The term of a request. */
export function parseTerm(fields: Record<string, unknown>): number {
  const { term, ...rest } = fields
  refuseUnknown(rest)
  if (!isTerm(term)) throw wrong('term')
  return term
}

export function parseHandOver(fields: Record<string, unknown>): HandOverRequest {
  const { phase, byOperator, ...rest } = fields
  const term = parseTerm(rest)
  if (phase === 'prepare' && isFlag(byOperator)) return { phase, byOperator, term }
  const known = PHASES.find((one) => one === phase)
  if (known === undefined || byOperator !== undefined) throw wrong('phase')
  return { phase: known, term }
}

export function parseHandOverAnswer(fields: Record<string, unknown>): HandOverAnswer {
  const { ok, digest, why, follows, ...rest } = fields
  refuseUnknown(rest)
  if (ok === false && typeof why === 'string' && digest === undefined) {
    if (follows === undefined) return { ok, why: shown(why) }
    if (follows === true) return { ok, why: shown(why), follows }
  }
  if (why !== undefined || follows !== undefined) throw wrong('ok')
  if (ok === true && digest === undefined) return { ok }
  if (ok === true && typeof digest === 'string') return { ok, digest }
  throw wrong('ok')
}

/** True if the peer has it on its disk. */
export function parseVoided(fields: Record<string, unknown>): boolean {
  const { voided, ...rest } = fields
  refuseUnknown(rest)
  if (!isFlag(voided)) throw wrong('voided')
  return voided
}

/** All live rows of the peer's table, in one number; null: it could not read them. */
export function parseContent(fields: Record<string, unknown>): Content | null {
  const { revision, digest, ...rest } = fields
  refuseUnknown(rest)
  if (revision === null && digest === null) return null
  if (!isBytes(revision)) throw wrong('revision')
  if (typeof digest !== 'string' || !/^\d+:-?\d+$/.test(digest)) throw wrong('digest')
  return { revision, digest }
}

/** Lines of the peer's journal; they are shown, and decide nothing. */
export function parseLines(fields: Record<string, unknown>): readonly JsonObject[] {
  const { lines, ...rest } = fields
  refuseUnknown(rest)
  if (!Array.isArray(lines) || !lines.every(isObject)) throw wrong('lines')
  return lines as readonly JsonObject[]
}

function refuseUnknown(rest: Record<string, unknown>): void {
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw new BadMessage('message', `it has a field too many: ${shown(unknown)}`)
}

function wrong(field: string): BadMessage {
  return new BadMessage('message', `its ${field} is missing or wrong`)
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function isTerm(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= HIGHEST_TERM
}

function isBytes(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isReason(value: unknown): value is Reason {
  return REASONS.some((one) => one === value)
}

/** A foreign text as a message of ours can hold it: short, on one line. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : typeof value
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}
