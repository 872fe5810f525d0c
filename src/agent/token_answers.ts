import { X509Certificate } from 'node:crypto'
import { durationMs } from '../../modules/parts/duration.ts'
import { TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { reveal } from '../core/secret.ts'
import type { AgentParts } from './assemble.ts'
import { authorityHash, joinTokenText } from './join_token.ts'

type Parts = Pick<AgentParts, 'core' | 'tokens' | 'secrets'>
type Say = (data: JsonObject) => void

const DEFAULT_TTL = '24h'

/** A token that nobody has used for a week is forgotten by people, too. @unit milliseconds */
const LONGEST_TTL_MS = 7 * 24 * 3_600_000
const SHORTEST_TTL_MS = 60_000

/** `twonode token create | list | revoke` of a host. */
export async function answerToken(parts: Parts, options: JsonObject, say: Say): Promise<void> {
  const { action, id } = options
  if (action === 'create') return await create(parts, options, say)
  if (action === 'list') return await list(parts, say)
  if (action !== 'revoke' || typeof id !== 'string')
    throw new TwonodeError('E_USAGE', 'a token is created, listed or revoked by its id')
  if (!(await parts.tokens.revoke(id)))
    throw new TwonodeError('E_MISSING', 'there is no valid join token of that id', {
      hint: '`twonode token list` shows them.',
    })
  say({ id, message: `revoked: ${id}` })
}

async function create({ core, tokens, secrets }: Parts, options: JsonObject, say: Say) {
  const { self, meta } = core.facts()
  const peer = meta?.hosts.find(({ name }) => name !== self)?.name
  if (meta?.leader !== self || peer === undefined)
    throw new TwonodeError('E_FAILED', `${self} leads nothing`, {
      hint: `A newcomer asks the leader${meta === null ? '' : `: create the token on ${meta.leader}`}.`,
    })
  const { for: old = peer, ttl = DEFAULT_TTL } = options
  if (old !== peer)
    throw new TwonodeError('E_USAGE', `the one to replace is ${peer}, the peer of ${self}`)
  const ca = await secrets.read('ca')
  if (ca === undefined)
    throw new TwonodeError('E_MISSING', "the site's authority is not on this host")
  const authority = authorityHash(new X509Certificate(reveal(ca)).raw)
  const ttlMs = ttlOf(ttl)
  const token = await tokens.create({ old: peer, ttlMs, authority })
  const text = reveal(joinTokenText(token))
  const { id } = token
  // Nothing else says it: it is printed once, to whoever asked over a socket that is root's.
  say({ id, for: peer, token: text, message: text })
}

async function list({ tokens }: Parts, say: Say): Promise<void> {
  for (const { id, old, expiresAt, use } of await tokens.list()) {
    const until = new Date(expiresAt).toISOString()
    const used = use === null ? 'unused' : `used by ${use.name} (${use.address})`
    const data = { id, for: old, until, usedBy: use?.name ?? null }
    say({ ...data, message: `${id}  for ${old}  until ${until}  ${used}` })
  }
}

function ttlOf(text: Json): number {
  let ms = Number.NaN
  try {
    if (typeof text === 'string') ms = durationMs(text)
  } catch {
    // Refused with all that is no length of time below.
  }
  if (ms >= SHORTEST_TTL_MS && ms <= LONGEST_TTL_MS) return ms
  throw new TwonodeError('E_USAGE', 'a token is valid for 1m to 168h: --ttl 24h, say')
}
