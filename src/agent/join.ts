import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf, TwonodeError } from '../core/errors.ts'
import type { Plan } from '../core/plan.ts'
import { reveal } from '../core/secret.ts'
import { readText } from '../host/files.ts'
import { createSiteSecrets } from '../host/site_secrets.ts'
import { compareHostMeta, HOST_META_FILE, type HostMeta, parseHostMeta } from '../pair/host_meta.ts'
import { readSite, SECRETS_FILE, SITE_FILE } from '../plan/site_file.ts'
import { type Admission, announce } from './announce.ts'
import {
  JOIN_FILE,
  type JoinOrder,
  readJoinFile,
  removeJoinFile,
  writeJoinFile,
} from './join_file.ts'
import { writeDurably } from './meta_history.ts'
import { type OwnSite, readOwnSite } from './own_site.ts'
import type { Clock, ConvergeOutcome } from './ports.ts'
import { TLS_PATHS } from './tls_files.ts'

export interface JoinParts {
  /** A folder that stands for `/`, so that tests can have their own. */
  readonly root: string
  /** Content hash of the bundle that runs. */
  readonly bundle: string
  readonly clock: Clock
  readonly say: (line: string) => void
  /** All of the site on this host, for a hostMeta in which it follows. */
  readonly converge: (site: OwnSite, meta: HostMeta) => Promise<ConvergeOutcome>
}

/** Between two attempts: it may be minutes until the leader has gone alone, or has power. @unit milliseconds */
const PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 30_000

/**
 * Lets this prepared host into its pair: asks the leader until it is let in, keeps what it is given, and
 * converges itself. Each step may be cut anywhere and is done again: the leader knows this host by its
 * key, and answers the same.
 */
export async function joinPair(parts: JoinParts, stop: AbortSignal): Promise<boolean> {
  let pause = PAUSE_MS
  let said = ''
  while (!stop.aborted) {
    const why = await attempt(parts).catch((error: unknown) => messageOf(error))
    if (why === null) return true
    if (why !== said) parts.say(why)
    said = why
    await parts.clock.sleep(pause, stop)
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
  }
  return false
}

/** Null: this host is in. Otherwise why it is not yet. */
async function attempt(parts: JoinParts): Promise<string | null> {
  const { root, say } = parts
  const order = await readJoinFile(join(root, JOIN_FILE))
  if (order === undefined) return null
  // Once it is in it asks again only for what is newer: the token may have expired meanwhile.
  const asked = letIn(parts, order)
  if (order.isIn) await asked.catch((error: unknown) => say(messageOf(error)))
  else await asked
  const places = { site: join(root, SITE_FILE), secrets: join(root, SECRETS_FILE) }
  const site = readOwnSite(order.name, places)
  const outcome = await parts.converge(site, await storedMeta(root, site.plan))
  if (outcome.kind === 'failed') return `${outcome.task ?? 'the converge'}: ${outcome.message}`
  if (outcome.kind !== 'done') return `this host is being converged already (${outcome.kind})`
  await removeJoinFile(join(root, JOIN_FILE))
  say(`${order.name} is in; its agent takes over`)
  return null
}

async function letIn(parts: JoinParts, order: JoinOrder): Promise<void> {
  const { root, bundle, say } = parts
  const key = await ownKey(join(root, TLS_PATHS.key))
  const { makeSigningRequest } = await import('../host/x509.ts')
  const request = await makeSigningRequest(order.name, key)
  if (!order.isIn) say(`${order.name} asks ${order.to.address} to be let in`)
  const admission = await announce(order, { bundle, request })
  await keep(parts, order, admission)
  if (order.isIn) return
  await writeJoinFile({ ...order, isIn: true }, join(root, JOIN_FILE))
  say(`${order.name} is let in, and converges itself`)
}

/** Made once: by its key the leader knows this host again. */
async function ownKey(path: string): Promise<string> {
  const known = await readText(path)
  if (known !== undefined) return known
  const { makeKey } = await import('../host/x509.ts')
  const key = `${await makeKey()}\n`
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await writeDurably(path, key)
  return key
}

/** Judged before anything of it is kept; hostMeta last, by which this host has a role. */
async function keep({ root }: JoinParts, order: JoinOrder, given: Admission): Promise<void> {
  const { site, secrets, certificate, ca, k3sToken } = given
  const { plan } = readSite({ site, secrets: reveal(secrets) }, order.name)
  const meta = parseHostMeta(given.meta)
  if (meta.site !== plan.site.name || meta.hosts.every(({ name }) => name !== order.name))
    throw new TwonodeError('E_ROLES', `what the leader answered is not for ${order.name}`)
  const siteSecrets = createSiteSecrets(root)
  await siteSecrets.store('ca', ca)
  await siteSecrets.store('k3s-token', k3sToken)
  // Its agent may run already: a file that stays the same tells it nothing.
  if (!order.isIn) await writeDurably(join(root, TLS_PATHS.certificate), withNewline(certificate))
  await writeIfOther(join(root, SECRETS_FILE), reveal(secrets))
  await writeIfOther(join(root, SITE_FILE), site)
  const metaFile = metaFileOf(root, plan)
  await mkdir(dirname(metaFile), { recursive: true, mode: 0o700 })
  const known = order.isIn ? await storedMeta(root, plan) : null
  if (known === null || compareHostMeta(meta, known) > 0) await writeDurably(metaFile, given.meta)
}

async function writeIfOther(path: string, text: string): Promise<void> {
  if ((await readText(path)) !== text) await writeDurably(path, text)
}

async function storedMeta(root: string, plan: Plan): Promise<HostMeta> {
  return parseHostMeta((await readText(metaFileOf(root, plan))) ?? '')
}

function metaFileOf(root: string, { site }: Plan): string {
  return join(root, site.stateDirectory, HOST_META_FILE)
}

function withNewline(text: string): string {
  return `${text.trimEnd()}\n`
}
