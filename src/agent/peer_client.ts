import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { messageOf } from '../core/errors.ts'
import { type JsonObject, parseJson } from '../core/json.ts'
import { systemCode } from '../host/filesystem_error.ts'
import type { Faults } from './faults.ts'
import {
  BadMessage,
  type Envelope,
  MESSAGE_BYTES,
  newEnvelope,
  openAnswer,
  type Pair,
  parseContent,
  parseHandOverAnswer,
  parseLines,
  parseVoided,
  StatusReader,
} from './peer_messages.ts'
import { NotConnected, PeerConnections } from './peer_connection.ts'
import type { Clock, HandOverAnswer, HandOverRequest, Heard, Peer, PeerAnswer } from './ports.ts'
import type { Content } from './salvage/content.ts'
import type { TlsFiles } from './tls_files.ts'

export interface PeerClientOptions {
  readonly pair: Pair
  readonly address: string
  readonly port: number
  readonly tls: TlsFiles
  readonly faults: Faults
  readonly clock: Clock
}

/** The peer's agent, asked over one connection that stays open. */
export interface PeerClient extends Peer {
  /** Null: it did not answer, or nothing that can be believed; the fault is told. */
  readonly status: (timeoutMs: number) => Promise<PeerAnswer | null>
  /** The newest lines of the peer's journal; null: it did not answer. */
  readonly decisions: () => Promise<readonly JsonObject[] | null>
  /** All live rows of the peer's table, in one number; null: it did not answer, or can't tell. */
  readonly content: () => Promise<Content | null>
  /** A new certificate: connections are made anew. */
  readonly reload: () => void
  readonly close: () => void
}

/** The peer's disk has to take the void: a leader's commits wait meanwhile, 3 s at most. @unit milliseconds */
const VOID_TIMEOUT_MS = 1_000

/** It reads a file of a megabyte. @unit milliseconds */
const DECISIONS_TIMEOUT_MS = 3_000

/** It reads a whole table; nobody waits for it. @unit milliseconds */
const CONTENT_TIMEOUT_MS = 130_000

/** By phase: killing kine, or a digest over a big table, takes its time. @unit milliseconds */
const HAND_OVER_TIMEOUT_MS = {
  prepare: 5_000,
  digest: 30_000,
  cancel: 3_000,
  take: 3_000,
  yield: 3_000,
  back: 3_000,
} as const

/** What TLS says when the other side is not whom we look for; anything else is a network's trouble. */
const STRANGER = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'INVALID_PURPOSE',
])

export function createPeerClient(options: PeerClientOptions): PeerClient {
  return new Client(options)
}

interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly fields: JsonObject
  readonly timeoutMs: number
}

class Client implements PeerClient {
  readonly #options: PeerClientOptions
  readonly #reader: StatusReader
  #connections: PeerConnections | undefined

  constructor(options: PeerClientOptions) {
    this.#options = options
    this.#reader = new StatusReader(options.pair)
  }

  readonly status = async (timeoutMs: number): Promise<PeerAnswer | null> => {
    const { faults } = this.#options
    try {
      const question = { method: 'GET', path: '/v1/status', fields: {}, timeoutMs } as const
      const { fields, sentAt, arrivedAt } = await this.#ask(question)
      const status = this.#reader.read(fields)
      faults.clear('peer')
      return { ...status, sentAt, arrivedAt }
    } catch (error) {
      this.#tell(error)
      return null
    }
  }

  readonly voidProof = async (term: number): Promise<boolean> => {
    try {
      const { fields } = await this.#post('/v1/void-proof', { term }, VOID_TIMEOUT_MS)
      return parseVoided(fields)
    } catch (error) {
      this.#tell(error)
      return false
    }
  }

  readonly handOver = async (asked: HandOverRequest): Promise<HandOverAnswer> => {
    const timeoutMs = HAND_OVER_TIMEOUT_MS[asked.phase]
    try {
      return parseHandOverAnswer((await this.#post('/v1/handover', { ...asked }, timeoutMs)).fields)
    } catch (error) {
      this.#tell(error)
      return { ok: false, why: messageOf(error), heard: false }
    }
  }

  readonly decisions = async (): Promise<readonly JsonObject[] | null> => {
    const timeoutMs = DECISIONS_TIMEOUT_MS
    try {
      const question = { method: 'GET', path: '/v1/decisions', fields: {}, timeoutMs } as const
      return parseLines((await this.#ask(question)).fields)
    } catch (error) {
      this.#tell(error)
      return null
    }
  }

  readonly content = async (): Promise<Content | null> => {
    const timeoutMs = CONTENT_TIMEOUT_MS
    try {
      const question = { method: 'GET', path: '/v1/content', fields: {}, timeoutMs } as const
      return parseContent((await this.#ask(question)).fields)
    } catch (error) {
      this.#tell(error)
      return null
    }
  }

  readonly reload = (): void => {
    this.close()
  }

  readonly close = (): void => {
    this.#connections?.destroy()
    this.#connections = undefined
  }

  /** A peer that is silent is a fact and no fault; one that is a stranger, or lies, is told of. */
  #tell(error: unknown): void {
    const { faults, address } = this.#options
    const code = systemCode(error)
    if (error instanceof BadMessage) faults.tell('peer', error.message)
    else if (code !== undefined && STRANGER.has(code))
      faults.tell('peer', `who answers on ${address} is not our peer: ${code}`)
  }

  async #post(path: string, fields: JsonObject, timeoutMs: number): Promise<Answer> {
    return await this.#ask({ method: 'POST', path, fields, timeoutMs })
  }

  async #ask(question: Question): Promise<Answer> {
    const deadline = performance.now() + question.timeoutMs
    const leftMs = () => deadline - performance.now()
    for (;;) {
      try {
        return await this.#askOnce(question, leftMs)
      } catch (error) {
        // Used by another request, or closed by the peer as we used it: what we ask may be asked twice.
        const isConnections = error instanceof NotConnected || error instanceof StaleConnection
        if (!isConnections || leftMs() <= 0) throw error
      }
    }
  }

  async #askOnce(question: Question, leftMs: () => number): Promise<Answer> {
    const { clock, pair } = this.#options
    const connections = this.#connected()
    await connections.ready(Math.max(1, leftMs()))
    const envelope = newEnvelope(pair.site)
    const sentAt = clock.now()
    const text = await this.#send(connections, question, {
      envelope,
      timeoutMs: Math.max(1, leftMs()),
    })
    const fields = openAnswer(answerIn(text), envelope)
    return { fields, sentAt, arrivedAt: clock.now() }
  }

  async #send(
    agent: PeerConnections,
    { method, path, fields }: Question,
    { envelope, timeoutMs }: { readonly envelope: Envelope; readonly timeoutMs: number },
  ): Promise<string> {
    const { address: host, port } = this.#options
    const body = method === 'POST' ? JSON.stringify({ ...envelope, ...fields }) : ''
    const query = method === 'GET' ? `?${queryOf(envelope)}` : ''
    const headers = method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}
    return await new Promise<string>((resolve, reject) => {
      const asked = request({ agent, host, port, method, path: path + query, headers })
      const timer = setTimeout(() => {
        reject(new Error('no answer in time'))
        if (asked.socket !== null) agent.reset(asked.socket)
        asked.destroy()
      }, timeoutMs)
      asked.once('close', () => clearTimeout(timer))
      asked.once('response', (answer) => {
        answer.once('error', reject)
        bodyOf(answer, (error) => asked.destroy(error)).then(resolve, reject)
      })
      asked.on('error', (error) => {
        const isStale = asked.reusedSocket && systemCode(error) === 'ECONNRESET'
        reject(isStale ? new StaleConnection('the connection was closed', { cause: error }) : error)
      })
      asked.end(body)
    })
  }

  #connected(): PeerConnections {
    const { tls, pair, address, port } = this.#options
    if (tls.material === undefined) throw new Error('there is no certificate yet')
    this.#connections ??= new PeerConnections({ address, port, peer: pair.peer }, tls.material)
    return this.#connections
  }
}

interface Answer extends Heard {
  readonly fields: Record<string, unknown>
}

class StaleConnection extends Error {
  override readonly name = 'StaleConnection'
}

/** The whole answer; one that is too large is cut off. */
async function bodyOf(answer: IncomingMessage, cut: (error: Error) => void): Promise<string> {
  return await new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MESSAGE_BYTES) chunks.push(chunk)
      else cut(new BadMessage('size', "the peer's answer is too large"))
    })
    answer.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}

function answerIn(text: string): unknown {
  const answer = parseJson(text)
  if (answer === undefined) throw new BadMessage('message', "the peer's answer is no JSON")
  return answer
}

function queryOf({ format, site, nonce }: Envelope): string {
  return new URLSearchParams({ format: String(format), site, nonce }).toString()
}
