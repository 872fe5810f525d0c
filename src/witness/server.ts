import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { isObject, parseJson } from '../core/json.ts'
import { reveal, type Secret } from '../core/secret.ts'
import { CLAIM_BYTES } from '../pair/claim.ts'
import { type ClaimStore, type Condition, isObjectName, siteOf } from './claim_store.ts'

/** Where the claim of a site lies on a witness of ours. */
const CLAIMS = '/v1/claims/'

/** Headers, and a whole request, within this; a claim is smaller than a packet. @unit milliseconds */
const REQUEST_MS = 5_000

/** Two hosts of a site ask now and then; more at once is no site of ours. */
const MOST_CONNECTIONS = 128

export interface WitnessServerOptions {
  readonly store: ClaimStore
  /** Whoever asks must show it; null: anybody may ask. */
  readonly token: Secret | null
  /** Sites that may keep a claim here; null: any. */
  readonly sites: readonly string[] | null
  /** PEM; null: plain HTTP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null
  /** What was changed or refused, a line each. */
  readonly tell: (line: string) => void
}

/** An answer and nothing else. */
interface Reply {
  readonly status: number
  readonly etag?: string
  readonly text?: string
}

/** The witness of `twonode witness serve`: GET and conditional PUT of one small object a site. */
export function createWitnessServer(options: WitnessServerOptions): Server {
  const { tls, tell } = options
  const limits = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: 1_000 }
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    answer(options, request)
      .catch((error: unknown): Reply => {
        tell(`${request.method} ${request.url}: ${String(error)}`)
        return { status: 500 }
      })
      .then((reply) => send(response, reply))
      .catch(() => response.destroy())
  }
  const server =
    tls === null
      ? createServer(limits, serve)
      : createTlsServer(
          { ...limits, cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' },
          serve,
        )
  server.maxConnections = MOST_CONNECTIONS
  return server
}

async function answer(options: WitnessServerOptions, request: IncomingMessage): Promise<Reply> {
  const { method = '', url = '' } = request
  if (!isAllowed(request, options.token)) return { status: 401 }
  const name = url.startsWith(CLAIMS) ? url.slice(CLAIMS.length) : ''
  if (!isObjectName(name)) return { status: 404 }
  const { sites, store } = options
  if (sites !== null && !sites.includes(siteOf(name))) return { status: 403 }
  if (method === 'GET') {
    const found = await store.get(name)
    return found === undefined ? { status: 404 } : { status: 200, ...found }
  }
  return method === 'PUT' ? await put(name, options, request) : { status: 405 }
}

async function put(
  name: string,
  { store, tell }: WitnessServerOptions,
  request: IncomingMessage,
): Promise<Reply> {
  const condition = conditionOf(request)
  // Without one the last to write would win.
  if (condition === undefined) return { status: 428 }
  const text = await readBody(request)
  if (text === undefined) return { status: 413 }
  if (!isObject(parseJson(text))) return { status: 400 }
  const done = await store.put(name, text, condition)
  if (done.kind === 'full') return { status: 507 }
  if (name === siteOf(name)) tell(`${name}: ${done.kind === 'written' ? text.trim() : 'refused'}`)
  if (done.kind === 'refused') return { status: 412 }
  return { status: done.isNew ? 201 : 204, etag: done.etag }
}

function conditionOf({ headers }: IncomingMessage): Condition | undefined {
  const { 'if-match': match, 'if-none-match': none } = headers
  if (none === '*' && match === undefined) return { none: true }
  return match !== undefined && none === undefined ? { tag: match } : undefined
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > CLAIM_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function isAllowed({ headers }: IncomingMessage, token: Secret | null): boolean {
  if (token === null) return true
  // Digests are of one length, whatever was shown.
  return timingSafeEqual(digest(headers.authorization ?? ''), digest(`Bearer ${reveal(token)}`))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function send(response: ServerResponse, { status, etag, text }: Reply): void {
  response.statusCode = status
  if (etag !== undefined) response.setHeader('etag', etag)
  if (text !== undefined) response.setHeader('content-type', 'application/json')
  response.setHeader('connection', 'close')
  response.end(text)
}
