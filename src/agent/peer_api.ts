import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { messageOf } from '../core/errors.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'
import { systemCode } from '../host/filesystem_error.ts'
import type { Faults } from './faults.ts'
import {
  BadMessage,
  openEnvelope,
  type Pair,
  parseHandOver,
  parseTerm,
  type PeerStatus,
  type Reason,
  refusalMessage,
  statusMessage,
} from './peer_messages.ts'
import type { HandOverAnswer, HandOverRequest } from './ports.ts'
import type { Content } from './salvage/content.ts'
import { bodyOf, queryOf } from './request_fields.ts'
import { names, type TlsFiles, type TlsMaterial, tlsOptions } from './tls_files.ts'

/** What the core answers. None of them may wait for the peer. */
export interface PeerHandlers {
  readonly status: () => PeerStatus
  /** The same for a host of this site that is not the peer any more; it counts as no sign of the peer. */
  readonly statusForOthers: () => PeerStatus
  /** Resolves when the proof for this term is void on the disk: true, and only then. */
  readonly voidProof: (term: number) => Promise<boolean>
  readonly handOver: (request: HandOverRequest) => Promise<HandOverAnswer>
  /** The newest lines of our journal, as many as fit in a message. */
  readonly decisions: () => Promise<readonly JsonObject[]>
  /** All live rows of kine's table, in one number; null: it can not be read now. */
  readonly content: () => Promise<Content | null>
  /** A host that has no certificate yet asks to be let in; who it is, is judged there. */
  readonly replacement: (fields: Record<string, unknown>, from: string) => Promise<JsonObject>
}

export interface PeerApiOptions {
  readonly pair: Pair
  /** Of this host; the API is not open on any other. */
  readonly address: string
  readonly peerAddress: () => string
  readonly port: number
  readonly tls: TlsFiles
  readonly handlers: PeerHandlers
  readonly faults: Faults
  /** The peer's connection stays open for longer than this between two requests. @unit milliseconds */
  readonly intervalMs: number
}

export interface PeerApi {
  /** The port that it listens on: of interest when 0 was asked for. */
  readonly port: () => number
  /** Resolves when it listens, which is tried until it does or `stop` is aborted. */
  readonly start: (stop: AbortSignal) => Promise<void>
  /** A new certificate serves the connections from now on. */
  readonly reload: () => void
  readonly close: () => Promise<void>
}

/** Head and body of a request have to be here in this time: a slow loris is cut. @unit milliseconds */
const REQUEST_TIMEOUT_MS = 5_000
const HANDSHAKE_TIMEOUT_MS = 3_000
const CHECK_MS = 1_000

/** Connections from one address: the peer needs two, and nobody takes them from it. */
const CONNECTIONS_OF_ONE = 8
const CONNECTIONS_OF_ALL = 64

/** Of them, those that the peer's address alone is given: an agent that starts anew finds room. */
const KEPT_FOR_PEER = 2

const HEADER_BYTES = 8 * 1024

/** Before an address or a certificate that is not there yet is tried again. @unit milliseconds */
const RETRY_MS = 500

const STATUS_OF: Readonly<Record<Reason, number>> = {
  certificate: 403,
  token: 403,
  site: 403,
  host: 403,
  route: 404,
  format: 409,
  refused: 409,
  size: 413,
  message: 400,
  busy: 503,
  fault: 500,
}

type Route = (handlers: PeerHandlers, message: Message) => Promise<JsonObject> | JsonObject
type Message = ReturnType<typeof openEnvelope>

const STATUS_ROUTE = 'GET /v1/status'

/** What the API knows; a body comes with POST, a query with GET. */
const ROUTES: Readonly<Record<string, Route>> = {
  [STATUS_ROUTE]: (handlers, { envelope }) => statusMessage(envelope, handlers.status()),
  'GET /v1/host-meta': (handlers, { envelope }) => {
    const { host, meta } = statusMessage(envelope, handlers.status())
    return { ...envelope, host: host ?? null, meta: meta ?? null }
  },
  'GET /v1/decisions': async (handlers, { envelope }) => ({
    ...envelope,
    lines: await handlers.decisions(),
  }),
  'GET /v1/content': async (handlers, { envelope }) => ({
    ...envelope,
    ...((await handlers.content()) ?? { revision: null, digest: null }),
  }),
  'POST /v1/void-proof': async (handlers, { envelope, fields }) => {
    const voided = await handlers.voidProof(parseTerm(fields))
    return { ...envelope, voided }
  },
  'POST /v1/handover': async (handlers, { envelope, fields }) => {
    const answer = await handlers.handOver(parseHandOver(fields))
    return { ...envelope, ...answer }
  },
}

/** The one route that needs no certificate: a newcomer has none, and shows a token instead. */
const OPEN_ROUTE = 'POST /v1/replacement'

/** The API for the peer's agent: https, and both sides show a certificate of the site's authority. */
export function createPeerApi(options: PeerApiOptions): PeerApi {
  return new Api(options)
}

class Api implements PeerApi {
  readonly #options: PeerApiOptions
  readonly #sockets = new Map<Socket, string>()
  #server: Server | undefined

  constructor(options: PeerApiOptions) {
    this.#options = options
  }

  readonly port = (): number => {
    const address = this.#server?.address()
    return typeof address === 'object' ? (address?.port ?? 0) : 0
  }

  readonly start = async (stop: AbortSignal): Promise<void> => {
    const { tls, faults, address, port } = this.#options
    while (!stop.aborted) {
      if (tls.material === undefined) await tls.refresh()
      try {
        if (tls.material !== undefined) return await this.#listen(tls.material)
      } catch (error) {
        const why = systemCode(error) ?? String(error)
        faults.tell('peer-api', `can not listen on ${address}, port ${port}: ${why}; trying again`)
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  readonly reload = (): void => {
    const { material } = this.#options.tls
    if (material !== undefined) this.#server?.setSecureContext(serverOptions(material))
  }

  readonly close = async (): Promise<void> => {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets.keys()) socket.destroy()
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  async #listen(material: TlsMaterial): Promise<void> {
    const { address, port, faults, intervalMs } = this.#options
    const server = createServer({
      ...serverOptions(material),
      requestCert: true,
      // Judged for each request, so that a refusal comes in words.
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: 2 * intervalMs + REQUEST_TIMEOUT_MS,
      maxHeaderSize: HEADER_BYTES,
    })
    server.maxConnections = CONNECTIONS_OF_ALL
    server.on('connection', (socket: Socket) => this.#admit(socket))
    server.on('request', (request, response) => void this.#serve(request, response))
    // A port scan, or the peer's own probe of this port, is no fault.
    server.on('tlsClientError', (_, socket) => socket.destroy())
    server.on('clientError', (_, socket) => socket.destroy())
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port }, resolve)
    })
    server.on('error', (error) => faults.tell('peer-api', error.message))
    faults.clear('peer-api')
    this.#server = server
  }

  #admit(socket: Socket): void {
    const from = socket.remoteAddress ?? ''
    const others = [...this.#sockets.values()].filter((address) => address === from)
    const isStranger = from !== this.#options.peerAddress()
    const isFull = this.#sockets.size >= CONNECTIONS_OF_ALL - (isStranger ? KEPT_FOR_PEER : 0)
    if (isFull || others.length >= CONNECTIONS_OF_ONE) return void socket.destroy()
    this.#sockets.set(socket, from)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults } = this.#options
    try {
      send(response, 200, await this.#answer(request))
    } catch (error) {
      if (isGone(request)) return
      const why = messageOf(error)
      const bad = error instanceof BadMessage ? error : OWN_FAULT
      faults.tell('peer-request', `a request of ${callerOf(request)} is refused: ${why}`)
      // What is left of the request is not read.
      response.setHeader('connection', 'close')
      send(response, STATUS_OF[bad.reason], refusalMessage(bad))
      response.once('finish', () => request.destroy())
    }
  }

  async #answer(request: IncomingMessage): Promise<JsonObject> {
    const { pair, handlers } = this.#options
    const [path = '', query] = (request.url ?? '').split('?', 2)
    const asked = `${request.method} ${path}`
    if (asked === OPEN_ROUTE) return await this.#letIn(request)
    if (asked === STATUS_ROUTE && isOtherHost(request, pair)) {
      const { envelope } = openEnvelope(queryOf(query), pair.site)
      return statusMessage(envelope, handlers.statusForOthers())
    }
    refuseStranger(request, pair)
    const route = ROUTES[asked]
    if (route === undefined) throw new BadMessage('route', 'there is no such route')
    const message = request.method === 'GET' ? queryOf(query) : parseJson(await bodyOf(request))
    return await route(handlers, openEnvelope(message, pair.site))
  }

  /** A newcomer knows of the site what its token says, which is more than a name. */
  async #letIn(request: IncomingMessage): Promise<JsonObject> {
    const { pair, handlers } = this.#options
    if (!(request.socket instanceof TLSSocket)) throw new BadMessage('certificate', 'TLS is needed')
    const message = parseJson(await bodyOf(request))
    const { site } = pair
    const { envelope, fields } = openEnvelope(isObject(message) ? { ...message, site } : null, site)
    return { ...envelope, ...(await handlers.replacement(fields, callerOf(request))) }
  }
}

/** Another site's host, or another host of this one, is nobody's peer here. */
function refuseStranger({ socket }: IncomingMessage, { peer }: Pair): void {
  if (!(socket instanceof TLSSocket)) throw new BadMessage('certificate', 'TLS is needed')
  if (!socket.authorized)
    throw new BadMessage('certificate', "its certificate is not of this site's authority")
  if (!names(socket.getPeerCertificate(), peer))
    throw new BadMessage('certificate', `its certificate does not name ${peer}`)
}

/** @source https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12 */
const SERVER_USAGE = '1.3.6.1.5.5.7.3.1'

/**
 * A host of this site that was the peer: it has to hear by whom it was replaced (B10). kine and the
 * replication have certificates for clients alone.
 */
function isOtherHost({ socket }: IncomingMessage, { peer }: Pair): boolean {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return false
  const certificate = socket.getPeerCertificate()
  const usages = certificate.ext_key_usage ?? []
  return usages.includes(SERVER_USAGE) && !names(certificate, peer)
}

/** With the authority's own certificate: a newcomer knows it by its hash alone. */
function serverOptions(material: TlsMaterial) {
  return tlsOptions({ ...material, cert: `${material.cert.trimEnd()}\n${material.ca}` })
}

function send(response: ServerResponse, status: number, message: JsonObject): void {
  if (response.destroyed || response.headersSent) return
  const body = Buffer.from(JSON.stringify(message))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}

function isGone({ socket }: IncomingMessage): boolean {
  return socket.destroyed
}

/** Without its port, which is another one each time. */
function callerOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'nobody'
}

/** What went wrong here is our journal's to tell, and not the other side's to know. */
const OWN_FAULT = new BadMessage('fault', 'the agent could not answer')
