import { gzipSync } from 'node:zlib'
import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { Plan } from '../core/plan.ts'
import { reveal, Secret } from '../core/secret.ts'
import { authorityIn, type SiteSecrets } from '../host/site_secrets.ts'
import type { Facts } from '../pair/facts.ts'
import { serialiseHostMeta } from '../pair/host_meta.ts'
import { type ReplacementRequest, unfitNewcomer, whyNotReplaced } from '../pair/replacement.ts'
import { withNewPeer } from '../plan/new_peer.ts'
import { readSite, secretsFileText, siteFileText } from '../plan/site_file.ts'
import type { AgentCore } from './core.ts'
import { FailedProofs } from './failed_proofs.ts'
import type { JoinTokens, KnownToken } from './join_token.ts'
import type { OwnSite } from './own_site.ts'
import { BadMessage } from './peer_messages.ts'
import type { Clock, Note } from './ports.ts'

export interface ReplacementApiParts {
  readonly core: Pick<AgentCore, 'facts' | 'ask'>
  readonly clock: Clock
  readonly tokens: JoinTokens
  readonly site: OwnSite
  readonly secrets: Pick<SiteSecrets, 'read'>
  readonly note: (entry: Note) => void
}

/** What a newcomer says of itself. */
interface Announced {
  readonly name: string
  readonly address: string
  readonly bundle: string
  /** PKCS #10. */
  readonly request: string
  readonly token: string
  readonly secret: Secret
}

/** hostMeta is on the disk within milliseconds of a decision; a slow disk takes longer. @unit milliseconds */
const ACCEPTED_TIMEOUT_MS = 5_000
const POLL_MS = 50

/** @unit days: the host renews it by itself */
const VALID_DAYS = 365

/**
 * Answers hosts without a certificate, one at a time. Who can't prove a token learns nothing; who can is
 * judged by the rule of replacements before its token is used up (B10), and is given what a host of the
 * site keeps: the authority, the cluster's token, the compiled site. None of it is ever noted.
 */
export function createReplacementApi(
  parts: ReplacementApiParts,
): (fields: Record<string, unknown>, from: string) => Promise<JsonObject> {
  const failed = new FailedProofs(parts.clock)
  let turn: Promise<unknown> = Promise.resolve()
  return async (fields, from) => {
    if (failed.areTooMany(from))
      throw new BadMessage('busy', 'too many wrong tokens came from there: try again in a minute')
    const mine = turn.then(async () => await letIn(parts, fields, () => failed.count(from)))
    turn = mine.catch(() => undefined)
    return await mine
  }
}

async function letIn(
  parts: ReplacementApiParts,
  fields: Record<string, unknown>,
  onWrongToken: () => void,
): Promise<JsonObject> {
  const announced = parseAnnounced(fields)
  const { name, address, bundle, request, token, secret } = announced
  const known = await parts.tokens.proven(token, secret)
  if (known === undefined) {
    onWrongToken()
    throw new BadMessage('token', 'there is no such join token here, or not any more')
  }
  const key = await keyOf(request, name)
  if (known.use !== null && known.use.key !== key)
    throw new BadMessage('token', 'the join token was used by another host')
  const { plan } = parts.site
  if (bundle !== plan.bundle)
    throw refused(
      `this site runs bundle ${plan.bundle.slice(0, 12)} of twonode ${plan.version}, and the newcomer has ${bundle.slice(0, 12)}: prepare it with the same`,
    )
  const wanted = { old: known.old, name, address }
  const given = await whatItGets(parts, announced, planFor(plan, wanted))
  if (!isIn(parts.core.facts(), known, wanted)) await accept(parts, { known, key, wanted })
  const { meta } = parts.core.facts()
  if (meta === null) throw refused('this host has no hostMeta any more')
  return { ...given, meta: serialiseHostMeta(meta) }
}

/** It was let in before, by this token, and did not hear the answer. */
function isIn({ meta }: Facts, { use }: KnownToken, { name, address }: ReplacementRequest) {
  const isThere = meta?.hosts.some((host) => host.name === name && host.address === address)
  return use !== null && meta !== null && isThere === true && meta.term > use.term
}

/** The conditions first, then the token, then the decision: a newcomer that is refused may ask again. */
async function accept(
  { core, clock, tokens, note }: ReplacementApiParts,
  { known, key, wanted }: Accepting,
): Promise<void> {
  const facts = core.facts()
  const refusal = unfitNewcomer(facts, wanted) ?? whyNotReplaced(facts, wanted)
  if (refusal !== null) throw refused(`${refusal.message}. ${refusal.hint}`)
  const { name, address } = wanted
  const term = facts.meta?.term ?? 0
  await tokens.use(known.id, { key, name, address, term })
  const answer = await core.ask({ kind: 'replacement', name, address })
  if (!answer.ok) throw refused(`${answer.why} (rule ${answer.rule})`)
  const deadline = clock.now() + ACCEPTED_TIMEOUT_MS
  const never = new AbortController().signal
  while (!((core.facts().meta?.term ?? 0) > term)) {
    if (clock.now() > deadline) throw refused('the leader has not written it down yet')
    await clock.sleep(POLL_MS, never)
  }
  note({ kind: 'newcomer', name, address, token: known.id })
}

interface Accepting {
  readonly known: KnownToken
  /** Of the newcomer. */
  readonly key: string
  readonly wanted: ReplacementRequest
}

function planFor(plan: Plan, { old, name, address }: ReplacementRequest): Plan {
  try {
    return withNewPeer(plan, old, { name, address })
  } catch (error) {
    throw asRefusal(error)
  }
}

/** All that a host of the site keeps, so that the newcomer can converge itself. */
async function whatItGets(
  { site, secrets }: ReplacementApiParts,
  { name, address, request }: Announced,
  plan: Plan,
): Promise<JsonObject> {
  const [ca, k3sToken] = await Promise.all([secrets.read('ca'), secrets.read('k3s-token')])
  if (ca === undefined || k3sToken === undefined)
    throw refused("the site's authority or token is not on this host")
  const texts = {
    site: siteFileText({ plan, secrets: site.secrets }),
    secrets: reveal(secretsFileText({ plan, host: name, secrets: site.secrets })),
  }
  try {
    readSite(texts, name)
  } catch (error) {
    throw asRefusal(error)
  }
  const { signRequest } = await import('../host/x509.ts')
  const leaf = { commonName: name, subjectAltNames: [address], validDays: VALID_DAYS } as const
  const certificate = await signRequest(
    request,
    { ...leaf, usages: ['client', 'server'] },
    authorityIn(ca),
  )
  return {
    certificate,
    ca: reveal(ca),
    k3sToken: reveal(k3sToken),
    siteFile: gzipSync(texts.site).toString('base64'),
    secretsFile: texts.secrets,
  }
}

async function keyOf(request: string, name: string): Promise<string> {
  const { readSigningRequest } = await import('../host/x509.ts')
  const read = await readSigningRequest(request)
  if (read === null) throw new BadMessage('message', 'its signing request is none')
  if (read.commonName !== name)
    throw new BadMessage('message', 'its signing request is of another name')
  return read.keySha256
}

function parseAnnounced(fields: Record<string, unknown>): Announced {
  const { name, address, bundle, request, token, secret, ...rest } = fields
  const isText = [name, address, bundle, request, token, secret].every(
    (text) => typeof text === 'string',
  )
  if (!isText || Object.keys(rest).length > 0)
    throw new BadMessage('message', 'a newcomer says name, address, bundle, request and token')
  return {
    name: String(name),
    address: String(address),
    bundle: String(bundle),
    request: String(request),
    token: String(token),
    secret: new Secret(String(secret), 'join token'),
  }
}

function asRefusal(error: unknown): BadMessage {
  const words = error instanceof TwonodeError ? `${error.message} ${error.hint}` : String(error)
  return refused(words)
}

function refused(message: string): BadMessage {
  return new BadMessage('refused', message)
}
