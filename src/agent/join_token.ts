import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import { reveal, Secret } from '../core/secret.ts'
import { sha256 } from '../engine/sha256.ts'
import { readText } from '../host/files.ts'
import { writeDurably } from './meta_history.ts'

/** What a newcomer shows once: `id.secret.sha256-of-the-CA`, so that both sides are proven. */
export interface JoinToken {
  readonly id: string
  readonly secret: Secret
  /** Hex sha256 of the authority's certificate (DER): whoever answers has to be of that site. */
  readonly authority: string
}

/** A token as its leader keeps it: its secret is known by a hash alone. */
export interface KnownToken {
  readonly id: string
  readonly secretSha256: string
  /** Name of the host that its newcomer replaces. */
  readonly old: string
  /** Wall clock: who can set that is root, who needs no token. @unit milliseconds since 1970 */
  readonly expiresAt: number
  readonly use: TokenUse | null
}

/** One newcomer, known by its key: it may ask again after a cut, and nobody else may. */
export interface TokenUse {
  /** Hex sha256 of the newcomer's public key. */
  readonly key: string
  readonly name: string
  readonly address: string
  /** hostMeta's when it was used: the newcomer is in the pair in a later one. */
  readonly term: number
}

const TOKENS_FILE = 'join-tokens.json'
const TOKENS_FORMAT = 1

/** What is kept: nobody replaces more hosts in a day. */
const MOST_TOKENS = 16

/** @unit bytes of randomness */
const SECRET_BYTES = 32
const ID_BYTES = 4

const TOKEN = /^([0-9a-f]{8})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/

/** @throws TwonodeError E_USAGE, which does not quote it */
export function parseJoinToken(text: string): JoinToken {
  const [, id, secret, authority] = TOKEN.exec(text.trim()) ?? []
  if (id === undefined || secret === undefined || authority === undefined)
    throw new TwonodeError('E_USAGE', 'what came is no join token, or not the whole of it', {
      hint: '`twonode token create` on the leader prints one, on one line.',
    })
  return { id, secret: new Secret(secret, 'join token'), authority }
}

/** By what a token knows its authority. @param der - of the authority's certificate */
export function authorityHash(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex')
}

export function joinTokenText({ id, secret, authority }: JoinToken): Secret {
  return new Secret(`${id}.${reveal(secret)}.${authority}`, 'join token')
}

/** The join tokens of this host: a small file, 0600, on the disk when a change resolves. */
export class JoinTokens {
  readonly #path: string
  readonly #now: () => number
  #turn: Promise<unknown> = Promise.resolve()

  /** `now`: of the wall clock, for a token lives longer than a boot. */
  constructor(directory: string, now: () => number = Date.now) {
    this.#path = join(directory, TOKENS_FILE)
    this.#now = now
  }

  /** A new one; its secret is told here and nowhere else. */
  async create(wanted: {
    readonly old: string
    readonly ttlMs: number
    readonly authority: string
  }): Promise<JoinToken> {
    const secret = randomBytes(SECRET_BYTES).toString('base64url')
    const id = randomBytes(ID_BYTES).toString('hex')
    await this.#change((tokens) => {
      if (tokens.length >= MOST_TOKENS)
        throw new TwonodeError('E_FAILED', `${MOST_TOKENS} join tokens are valid already`, {
          hint: '`twonode token list` shows them; revoke one.',
        })
      const expiresAt = this.#now() + wanted.ttlMs
      const token = { id, secretSha256: sha256(secret), old: wanted.old, expiresAt, use: null }
      return [...tokens, token]
    })
    const { authority } = wanted
    return { id, secret: new Secret(secret, 'join token'), authority }
  }

  /** Those that are valid. */
  async list(): Promise<readonly KnownToken[]> {
    const tokens = await this.#read()
    return tokens.filter(({ expiresAt }) => expiresAt > this.#now())
  }

  /** False: there was none of that name. */
  async revoke(id: string): Promise<boolean> {
    let isFound = false
    await this.#change((tokens) => {
      isFound = tokens.some((token) => token.id === id)
      return tokens.filter((token) => token.id !== id)
    })
    return isFound
  }

  /** The valid token whose secret this is, compared in constant time; whose use it was is not judged here. */
  async proven(id: string, secret: Secret): Promise<KnownToken | undefined> {
    const known = (await this.list()).find((token) => token.id === id)
    const expected = Buffer.from(known?.secretSha256 ?? sha256(''), 'hex')
    const isIt = timingSafeEqual(Buffer.from(sha256(secret), 'hex'), expected)
    return isIt ? known : undefined
  }

  /** From here on the token is this newcomer's alone. @throws Error when it became another's meanwhile */
  async use(id: string, use: TokenUse): Promise<void> {
    await this.#change((tokens) => {
      const known = tokens.find((token) => token.id === id)
      if (known === undefined || (known.use !== null && known.use.key !== use.key))
        throw new TwonodeError('E_FAILED', 'the token was used or revoked meanwhile')
      return tokens.map((token) => (token.id === id ? { ...token, use } : token))
    })
  }

  async #change(next: (valid: readonly KnownToken[]) => readonly KnownToken[]): Promise<void> {
    const mine = this.#turn.then(async () => {
      const tokens = next(await this.list())
      await writeDurably(this.#path, `${JSON.stringify({ format: TOKENS_FORMAT, tokens })}\n`)
    })
    this.#turn = mine.catch(() => undefined)
    await mine
  }

  /** A file that is torn, or none of ours, lets nobody in. */
  async #read(): Promise<readonly KnownToken[]> {
    const text = await readText(this.#path)
    return text === undefined ? [] : parseTokens(text)
  }
}

function parseTokens(text: string): readonly KnownToken[] {
  const parsed = parseJson(text)
  if (!isObject(parsed) || parsed['format'] !== TOKENS_FORMAT) return []
  const { tokens } = parsed
  return Array.isArray(tokens) && tokens.every(isKnown) ? tokens : []
}

function isKnown(token: unknown): token is KnownToken {
  if (!isObject(token)) return false
  const { id, secretSha256, old, expiresAt, use } = token
  return (
    [id, secretSha256, old].every((text) => typeof text === 'string') &&
    /^[0-9a-f]{64}$/.test(String(secretSha256)) &&
    typeof expiresAt === 'number' &&
    (use === null || isUse(use))
  )
}

function isUse(use: unknown): use is TokenUse {
  if (!isObject(use)) return false
  const { key, name, address, term } = use
  return [key, name, address].every((text) => typeof text === 'string') && typeof term === 'number'
}
