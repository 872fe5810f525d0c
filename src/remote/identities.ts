import { readFile } from 'node:fs/promises'
import ssh2, {
  type AnyAuthMethod,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from 'ssh2'
import { TwonodeError, messageOf } from '../core/errors.ts'
import { describe, type ConnectSettings, type IdentityFile } from './settings.ts'

const { BaseAgent, createAgent, utils } = ssh2

/** Asks a person for a key's passphrase; undefined: none is given, pass the key over. */
export type AskPassphrase = (path: string) => Promise<string | undefined>

/** @unit milliseconds: a forwarded agent whose far end is gone accepts and never answers */
const AGENT_TIMEOUT_MS = 2_000

/** @unit passphrases asked for one key, as ssh does */
const PASSPHRASE_TRIES = 3

/** sshd's MaxAuthTries is 6 by default, and each offer counts. */
const MOST_OFFERS = 6

export interface Offers {
  /** Keys in the order in which to offer them, each read when its turn comes. */
  readonly next: () => Promise<AnyAuthMethod | undefined>
  /** What was offered, for the message when nothing helped. */
  readonly offered: readonly string[]
}

/**
 * The keys for one log-in: identity files first (through the agent where it holds them, so that no
 * passphrase is asked), then the agent's others. `none` and passwords are never tried: a round trip.
 */
export function offersOf(settings: ConnectSettings, askPassphrase: AskPassphrase): Offers {
  const offered: string[] = []
  // Begun at once: it runs beside the key exchange.
  const agentKeys = listAgentKeys(settings)
  const offers = generate(settings, { agentKeys, offered, askPassphrase })
  return {
    offered,
    next: async () => {
      if (offered.length >= MOST_OFFERS) return undefined
      const { value } = await offers.next()
      return value ?? undefined
    },
  }
}

interface Sources {
  readonly agentKeys: Promise<AgentKeys>
  readonly offered: string[]
  readonly askPassphrase: AskPassphrase
}

interface AgentKeys {
  readonly agent: InstanceType<typeof BaseAgent> | undefined
  readonly keys: readonly ParsedKey[]
}

async function* generate(settings: ConnectSettings, sources: Sources) {
  const { offered } = sources
  const username = settings.user
  const { agent, keys } = await sources.agentKeys
  const left = new Set(keys)
  for (const file of settings.identityFiles) {
    const publicKey = await readPublicKey(file.path)
    const held = keys.find((key) => left.has(key) && publicKey?.equals(key.getPublicSSH()))
    if (held !== undefined && agent !== undefined) {
      left.delete(held)
      offered.push(`${file.path} (by the agent)`)
      yield { type: 'agent' as const, username, agent: new OneKeyAgent(agent, held) }
      continue
    }
    const key = await loadKey(settings, file, sources.askPassphrase)
    if (key === undefined) continue
    offered.push(file.path)
    yield { type: 'publickey' as const, username, key }
  }
  if (settings.identitiesOnly || agent === undefined) return
  for (const key of left) {
    offered.push(`agent's ${key.type} ${key.comment}`.trim())
    yield { type: 'agent' as const, username, agent: new OneKeyAgent(agent, key) }
  }
}

/** Offers one of an agent's keys: ssh2 would offer all of them, in the agent's order. */
class OneKeyAgent extends BaseAgent<ParsedKey> {
  readonly #agent: InstanceType<typeof BaseAgent>
  readonly #key: ParsedKey

  constructor(agent: InstanceType<typeof BaseAgent>, key: ParsedKey) {
    super()
    this.#agent = agent
    this.#key = key
  }

  override getIdentities(callback: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    callback(undefined, [this.#key])
  }

  override sign(
    publicKey: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    if (typeof options === 'function') this.#agent.sign(publicKey, data, options)
    else this.#agent.sign(publicKey, data, options, callback)
  }
}

async function listAgentKeys({ identityAgent }: ConnectSettings): Promise<AgentKeys> {
  const none: AgentKeys = { agent: undefined, keys: [] }
  if (identityAgent === null) return none
  const agent = createAgent(identityAgent)
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(none), AGENT_TIMEOUT_MS)
    agent.getIdentities((error, found) => {
      clearTimeout(timer)
      if (error !== undefined && error !== null) return resolve(none)
      const keys = (found ?? []).map((key) => parse(key)).filter((key) => key !== undefined)
      resolve({ agent, keys })
    })
  })
}

/** A key from a file or from the agent, whose types are looser than what it gives: parsed keys. */
function parse(key: unknown): ParsedKey | undefined {
  const parsed = utils.parseKey(key as string)
  return parsed instanceof Error ? undefined : parsed
}

/** The public half beside an identity file, if it is there: tells whether the agent holds the key. */
async function readPublicKey(path: string): Promise<Buffer | undefined> {
  try {
    return parse(await readFile(`${path}.pub`))?.getPublicSSH()
  } catch {
    return undefined
  }
}

async function loadKey(
  settings: ConnectSettings,
  { path, explicit }: IdentityFile,
  askPassphrase: AskPassphrase,
): Promise<ParsedKey | undefined> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (cause) {
    if (!explicit) return undefined
    const reason = messageOf(cause)
    throw new TwonodeError('E_KEY', `${settings.name}: ${path} can not be read: ${reason}`, {
      cause,
    })
  }
  let parsed = utils.parseKey(content)
  for (let attempt = 0; parsed instanceof Error && isEncrypted(parsed); attempt++) {
    const passphrase = attempt < PASSPHRASE_TRIES ? await askPassphrase(path) : undefined
    if (passphrase === undefined) break
    parsed = utils.parseKey(content, passphrase)
  }
  if (!(parsed instanceof Error)) return parsed.isPrivateKey() ? parsed : undefined
  if (!explicit) return undefined
  const locked = isEncrypted(parsed)
  throw new TwonodeError(
    'E_KEY',
    `${describe(settings)}: ${path} ${locked ? 'stays locked: no right passphrase was given' : `is no private key that can be used: ${parsed.message}`}`,
    { cause: parsed },
  )
}

/** ssh2 tells a locked key, and one unlocked with a wrong passphrase, by words only. */
function isEncrypted(error: Error): boolean {
  return /encrypted|passphrase|integrity check failed|bad decrypt|decrypt/i.test(error.message)
}
