import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { messageOf } from '../core/errors.ts'
import { reveal, type Secret } from '../core/secret.ts'
import { CLAIM_BYTES } from '../pair/claim.ts'

/** Where the claim lies, and what is shown there. */
export interface HttpPlace {
  readonly url: string
  /** Of the server's certificate, in PEM; null: one that the system knows. */
  readonly ca: string | null
  readonly token: Secret | null
  /** For one request, from its beginning to the end of its answer. @unit milliseconds */
  readonly timeoutMs: number
}

export interface HttpAnswer {
  readonly status: number
  /** The strong validator of what it keeps; null: it gives none that can be relied on. */
  readonly etag: string | null
  readonly text: string
}

export interface HttpAsked {
  readonly method: 'GET' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/**
 * One request, each over a connection of its own: one that was kept may lead to where nobody answers
 * any more, and would cost the time that a claim has.
 *
 * @throws Error in words for whatever is no answer; nothing is sent anew, and no redirect is followed
 */
export async function askOverHttp(place: HttpPlace, asked: HttpAsked): Promise<HttpAnswer> {
  const stop = AbortSignal.timeout(place.timeoutMs)
  return await new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      const late = `no answer within ${place.timeoutMs} ms`
      reject(new Error(stop.aborted ? late : messageOf(error), { cause: error }))
    }
    const sent = begin(place, asked, stop)
    sent.once('error', fail)
    sent.once('response', (answer) => {
      readAnswer(answer).then(resolve, fail)
    })
    sent.end(asked.body)
  })
}

function begin(place: HttpPlace, asked: HttpAsked, signal: AbortSignal): ClientRequest {
  const url = new URL(place.url)
  const { ca, token } = place
  const headers: Record<string, string> = {
    ...asked.headers,
    accept: 'application/json',
    'cache-control': 'no-cache',
    ...(token === null ? {} : { authorization: `Bearer ${reveal(token)}` }),
  }
  if (asked.body !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = String(Buffer.byteLength(asked.body))
  }
  const options = { method: asked.method, headers, signal, agent: false as const }
  if (url.protocol === 'http:') return httpRequest(url, options)
  return httpsRequest(url, { ...options, ...(ca === null ? {} : { ca }), minVersion: 'TLSv1.2' })
}

async function readAnswer(answer: IncomingMessage): Promise<HttpAnswer> {
  const { statusCode = 0, headers } = answer
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length
    // Whatever it sends on is not read: the request ends with it.
    if (bytes > CLAIM_BYTES) throw new Error(`its answer is longer than ${CLAIM_BYTES} bytes`)
    parts.push(part)
  }
  return {
    status: statusCode,
    etag: strongTag(headers.etag),
    text: Buffer.concat(parts).toString('utf8'),
  }
}

/** A weak one may be the same for two contents. @source https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3 */
function strongTag(etag: string | undefined): string | null {
  return etag !== undefined && /^"[\x21\x23-\x7e]+"$/.test(etag) ? etag : null
}
