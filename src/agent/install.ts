import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import type { Plan } from '../core/plan.ts'
import { reveal, type Secret } from '../core/secret.ts'
import { postgresOf, sidesOf, type SiteHost } from '../core/site.ts'
import { isNewer } from '../core/version.ts'
import { APPLIED_FILE } from '../engine/applied_record.ts'
import { readText } from '../host/files.ts'
import {
  HOST_META_FILE,
  HOST_META_FORMAT,
  type HostMeta,
  parseHostMeta,
} from '../pair/host_meta.ts'
import {
  parseSecretsFile,
  parseSiteFile,
  readSite,
  SECRETS_FILE,
  SITE_FILE,
  secretsFileText,
  siteFileText,
} from '../plan/site_file.ts'
import { secretsOfHost } from '../plan/site_secrets.ts'

import type { OwnSite } from './own_site.ts'

/** What this host is to become by a bundle. */
export type Installation =
  /** It is of the pair: the bundle's site takes the place of the one that it has. */
  | { readonly kind: 'renew'; readonly meta: HostMeta }
  /** The first of a pair that never was: it leads alone until the other one joins. */
  | { readonly kind: 'first'; readonly meta: HostMeta }
  /** It asks the one that leads to be let in. */
  | { readonly kind: 'join' }

export interface InstallFacts {
  readonly plan: Plan
  /** What this host is called. */
  readonly host: string
  readonly meta: HostMeta | undefined
  /** Who asks. */
  readonly wants: 'first' | 'join' | undefined
  /** Something of the other host answers, or of the pair: its agent, its API, the cluster's address. */
  readonly pairAnswers: boolean
  /** What this host's agent says; undefined: none answers. */
  readonly agent: AgentSays | undefined
  /** There is an agent on this host, whether it runs or not. */
  readonly hasAgent: boolean
  /** Of twonode, that converged this host last. */
  readonly appliedVersion: string | undefined
  /** Major version of PostgreSQL that the site has which this host goes by. */
  readonly postgresMajor: number | undefined
  readonly allowDowngrade: boolean
  /** ISO time. */
  readonly now: string
}

/** Of the agent's status. */
export interface AgentSays {
  readonly role: string
  readonly impaired: boolean
  readonly settled: boolean
}

/**
 * What a bundle makes of a host. Pure.
 * @throws TwonodeError E_ROLES, E_DOWNGRADE, E_SITE_BUNDLE: nothing was changed
 */
export function installationOf(facts: InstallFacts): Installation {
  const { plan, meta, appliedVersion, allowDowngrade } = facts
  if (appliedVersion !== undefined && isNewer(appliedVersion, plan.version) && !allowDowngrade)
    throw new TwonodeError(
      'E_DOWNGRADE',
      `this host was converged with twonode ${appliedVersion}; the bundle is of ${plan.version}`,
    )
  return meta === undefined ? ofNewHost(facts) : ofMember(facts, meta)
}

function ofMember(facts: InstallFacts, meta: HostMeta): Installation {
  const { plan, host, postgresMajor } = facts
  const { site } = plan
  if (meta.site !== site.name)
    throw new TwonodeError(
      'E_SITE_BUNDLE',
      `this host is of site ${meta.site}, the bundle of ${site.name}`,
    )
  const { version } = postgresOf(site, host)
  if (postgresMajor !== undefined && postgresMajor !== version)
    throw new TwonodeError(
      'E_POSTGRES_MAJOR',
      `this host has PostgreSQL ${postgresMajor}, and the bundle brings ${version}`,
      { hint: 'No bundle changes that: `twonode upgrade --postgres-major` from a laptop does.' },
    )
  const unfit = whyNotRenewed(facts, meta)
  if (unfit !== undefined) throw unfit
  if (said(meta.hosts) === said(site.hosts)) return { kind: 'renew', meta }
  throw new TwonodeError(
    'E_SITE_BUNDLE',
    `the pair is ${said(meta.hosts)}, and the bundle was made for ${said(site.hosts)}`,
    { hint: 'Write the hosts as they are now into the inventory, and make the bundle again.' },
  )
}

/**
 * A converge of the whole host has a leader lead, by what its hostMeta says. Whether it may now is for
 * the agent to know: another one may have been promoted.
 */
function whyNotRenewed(
  { host, agent, hasAgent }: InstallFacts,
  { leader }: HostMeta,
): TwonodeError | undefined {
  const unfit = (what: string, hint: string) =>
    new TwonodeError('E_ROLES', `${host} ${what}`, { hint })
  const look = '`twonode status` says what it waits for.'
  if (agent === undefined) {
    // One that was cut before it had an agent leads nobody: it is finished as it was begun.
    if (leader !== host || !hasAgent) return undefined
    return unfit('was the leader, and its agent does not answer', 'systemctl start twonode-agent')
  }
  if (agent.role === 'replaced')
    return unfit('is of the pair no more', 'Another host has its place.')
  if (agent.impaired) return unfit('stands still, and may not lead now', look)
  return agent.settled ? undefined : unfit('is not settled in its role', look)
}

function said(hosts: readonly SiteHost[]): string {
  const each = hosts.map(({ name, address }) => `${name} ${address}`)
  return each.toSorted().join(', ')
}

function ofNewHost({ plan, host, wants, pairAnswers, now }: InstallFacts): Installation {
  const { peer } = sidesOf(plan.site, host)
  if (wants === 'join') return { kind: 'join' }
  if (wants === 'first' && !pairAnswers) return { kind: 'first', meta: firstMeta(plan, host, now) }
  if (wants === 'first')
    throw new TwonodeError(
      'E_ROLES',
      `something of the pair answers, ${peer.name} or the cluster's address: it is there already`,
      {
        hint: JOIN_HINT(peer.name),
      },
    )
  throw new TwonodeError('E_ROLES', `${host} is of no pair yet, and nobody said what it is to be`, {
    hint: `The first host that this site ever has: --first. Beside ${peer.name}, which runs: ${JOIN_HINT(peer.name)}`,
  })
}

const JOIN_HINT = (peer: string) =>
  `\`twonode token create\` on ${peer}, and here --join < TOKEN-FILE.`

/**
 * As a leader whose follower was let go: nothing is kept for one that may come in a year, and its agents
 * make the pair when it has. In term 1 the first pairing is a laptop's.
 */
export function firstMeta({ site }: Plan, leader: string, lastModified: string): HostMeta {
  const { address, port } = site.controlPlaneEndpoint
  return {
    format: HOST_META_FORMAT,
    site: site.name,
    term: 2,
    branch: 1,
    mode: 'alone',
    leader,
    slot: null,
    began: 'first',
    fork: null,
    hosts: site.hosts.map((host) => ({
      name: host.name,
      address: host.address,
      role: host.name === leader ? 'leader' : 'follower',
    })),
    controlPlaneEndpoint: `${address}:${port}`,
    lastModified,
  }
}

/**
 * Which of the site's two hosts this is: by what it was told, or by its addresses.
 * @throws TwonodeError E_USAGE, E_SITE_BUNDLE
 */
export function ownName(
  { site }: Plan,
  told: string | undefined,
  addresses: readonly string[] = ownAddresses(),
): string {
  const names = site.hosts.map(({ name }) => name)
  if (told !== undefined && !names.includes(told))
    throw new TwonodeError(
      'E_SITE_BUNDLE',
      `the bundle is of ${names.join(' and ')}, not of ${told}`,
    )
  if (told !== undefined) return told
  const mine = site.hosts.filter(({ address }) => addresses.includes(address))
  const [host, other] = mine
  if (host !== undefined && other === undefined) return host.name
  throw new TwonodeError('E_USAGE', `this host has no address of ${names.join(' or ')}`, {
    hint: 'Give it its address, or say which one it is: --host NAME.',
  })
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address),
  )
}

/** Both files that a host keeps of its site. */
export interface SiteTexts {
  readonly site: string
  readonly secrets: Secret
  /** Both of them, read. */
  readonly own: Pick<OwnSite, 'plan' | 'secrets'>
}

/**
 * What the host is to keep: the bundle's site, with the secrets that lie on the host.
 * @throws TwonodeError E_SITE_FILE for a secret that is not there
 */
export function siteTexts(plan: Plan, host: string, secretsOnHost: string | undefined): SiteTexts {
  const known =
    secretsOnHost === undefined ? new Map<string, Secret>() : parseSecretsFile(secretsOnHost)
  const used = secretsOfHost(plan, host)
  const missing = used.find((name) => !known.has(name))
  if (missing !== undefined)
    throw new TwonodeError('E_SITE_FILE', `this host does not have the secret ${missing}`, {
      hint: 'No secret is in a bundle: the host gets it from its peer when it joins, or from a laptop (`twonode converge`).',
    })
  const secrets = new Map([...known].filter(([name]) => used.includes(name)))
  const site = siteFileText({ plan, secrets })
  const text = secretsFileText({ plan, host, secrets })
  // What is refused must be refused before it lies on the host.
  const own = readSite({ site, secrets: reveal(text) }, host)
  return { site, secrets: text, own }
}

/** What this host has recorded of itself. */
export interface Records {
  readonly meta: HostMeta | undefined
  readonly appliedVersion: string | undefined
  readonly postgresMajor: number | undefined
  /** Content of its secrets file. */
  readonly secrets: string | undefined
}

/** @param root - a folder that stands for `/` */
export async function readRecords({ site }: Plan, host: string, root = '/'): Promise<Records> {
  const [meta, applied, secrets, own] = await Promise.all([
    readText(join(root, site.stateDirectory, HOST_META_FILE)),
    readText(join(root, APPLIED_FILE)),
    readText(join(root, SECRETS_FILE)),
    readText(join(root, SITE_FILE)),
  ])
  const record = parseJson(applied ?? '')
  const version = isObject(record) ? record['version'] : undefined
  return {
    meta: meta === undefined ? undefined : parseHostMeta(meta),
    appliedVersion: typeof version === 'string' ? version : undefined,
    postgresMajor: own === undefined ? undefined : majorIn(own, host),
    secrets,
  }
}

/** One that can't be read is replaced, and holds nothing back. */
function majorIn(siteFile: string, host: string): number | undefined {
  try {
    return postgresOf(parseSiteFile(siteFile).site, host).version
  } catch {
    return undefined
  }
}
