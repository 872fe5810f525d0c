import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { isObject, parseJson } from '../core/json.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { JoinOrder } from './join_file.ts'
import { authorityHash } from './join_token.ts'
import { BadMessage, newEnvelope, openAnswer } from './peer_messages.ts'

/** What a leader gives to a host that it lets in. */
export interface Admission {
  /** hostMeta's text. */
  readonly meta: string
  readonly certificate: string
  /** Certificate, then key. */
  readonly ca: Secret
  readonly k3sToken: Secret
  readonly site: string
  readonly secrets: Secret
}

/** Signing and waiting for a disk take the leader seconds at most. @unit milliseconds */
const TIMEOUT_MS = 15_000

/** A compiled site, compressed, with all its templates. @unit bytes */
const ANSWER_BYTES = 1024 * 1024
const SITE_BYTES = 16 * 1024 * 1024

/** More links are no chain of ours. */
const CHAIN_LINKS = 4

/**
 * Asks the leader to be let in. It is believed only if it proves to be of the authority whose hash the
 * token holds; the token's secret is not sent before.
 *
 * @throws BadMessage with the leader's reason, Error when it can't be reached or is another
 */
export async function announce(
  { name, address, to, token }: Pick<JoinOrder, 'name' | 'address' | 'to' | 'token'>,
  own: { readonly bundle: string; readonly request: string },
): Promise<Admission> {
  const ca = await authorityAt(to, token.authority)
  const envelope = newEnvelope('')
  const { format, nonce } = envelope
  const proof = { token: token.id, secret: reveal(token.secret) }
  const message = { format, nonce, name, address, ...own, ...proof }
  // The site's name is the answer's to say: what the newcomer knows of the site is its authority.
  const answer = parseJson(await post(to, JSON.stringify(message), ca))
  return parseAdmission(openAnswer(isObject(answer) ? { ...answer, site: '' } : answer, envelope))
}

type Place = JoinOrder['to']

/** The certificate of this hash in the chain that answers there, as PEM. */
async function authorityAt({ address, port }: Place, sha256: string): Promise<string> {
  const socket = connect({ host: address, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(TIMEOUT_MS, () => reject(new Error(`${address} does not answer`)))
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    const found = chainOf(socket).find((der) => authorityHash(der) === sha256)
    if (found !== undefined) return new X509Certificate(found).toString()
  } finally {
    socket.destroy()
  }
  throw new Error(`who answers on ${address} is not of the site that the join token is for`)
}

function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = []
  let link: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (link?.raw !== undefined && chain.length < CHAIN_LINKS) {
    chain.push(link.raw)
    link = link.issuerCertificate
  }
  return chain
}

/** Over a connection that is verified like any other: its certificate has to name that address. */
async function post({ address, port }: Place, body: string, ca: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const asked = request({
      host: address,
      port,
      method: 'POST',
      path: '/v1/replacement',
      agent: false,
      ca,
      minVersion: 'TLSv1.3',
      servername: '',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    })
    const timer = setTimeout(() => asked.destroy(new Error('no answer in time')), TIMEOUT_MS)
    asked.once('close', () => clearTimeout(timer))
    asked.once('error', reject)
    asked.once('response', (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES) asked.destroy(new Error('the answer is too large'))
        else chunks.push(chunk)
      })
      answer.once('error', reject)
      answer.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    })
    asked.end(body)
  })
}

function parseAdmission(fields: Record<string, unknown>): Admission {
  const { meta, certificate, ca, k3sToken, siteFile, secretsFile, ...rest } = fields
  const texts = [meta, certificate, ca, k3sToken, siteFile, secretsFile]
  if (!texts.every((text) => typeof text === 'string') || Object.keys(rest).length > 0)
    throw new BadMessage('message', "the leader's answer is not what a newcomer is given")
  return {
    meta: String(meta),
    certificate: String(certificate),
    ca: new Secret(String(ca), 'site:ca'),
    k3sToken: new Secret(String(k3sToken), 'site:k3s-token'),
    site: siteTextOf(String(siteFile)),
    secrets: new Secret(String(secretsFile), 'secrets'),
  }
}

function siteTextOf(compressed: string): string {
  const options = { maxOutputLength: SITE_BYTES }
  return gunzipSync(Buffer.from(compressed, 'base64'), options).toString('utf8')
}
