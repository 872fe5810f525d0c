import { TwonodeError } from './errors.ts'
import type { Restriction } from './restriction.ts'

/** The names of the two hosts' parts in a pair. */
export type Role = 'leader' | 'follower'

/** *paired*: a write is acknowledged only when both hosts have it. *alone*: the leader answers alone. */
export type Mode = 'paired' | 'alone'

/** A site as the inventory gives it, defaults filled in, durations in milliseconds. */
export interface Site {
  readonly name: string
  /** Exactly two, in the inventory's order. */
  readonly hosts: readonly [SiteHost, SiteHost]
  /** Leads when neither host has a hostMeta yet. */
  readonly initialLeader: string
  readonly controlPlaneEndpoint: Endpoint
  readonly virtualIp: VirtualIp | null
  /** Addresses that tell "I am cut off" from "my peer is gone". */
  readonly gateways: readonly string[]
  readonly partition: 'availability' | 'consistency'
  readonly witness: WitnessSettings | null
  readonly fencing: FencingSettings | null
  readonly liveness: LivenessSettings
  readonly reconcile: ReconcileSettings
  readonly replication: ReplicationSettings
  readonly salvage: SalvageSettings
  readonly postgres: PostgresSettings
  readonly kine: KineSettings
  readonly k3s: K3sSettings
  /** Folder of hostMeta, sentinels and journal. */
  readonly stateDirectory: string
  readonly restricted: Restriction
  readonly bundle: BundleSettings
}

/** What the hosts know of the bundles that are brought to them. */
export interface BundleSettings {
  /** Public keys of OpenSSH; empty: a host asks for the fingerprint. */
  readonly allowedSigners: readonly string[]
}

export interface SiteHost {
  readonly name: string
  /** IP address on which the two hosts reach each other. */
  readonly address: string
}

/** What a host or a site may be called, as the inventory's schema says it. */
export const HOST_NAME = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'

export function isHostName(name: string): boolean {
  return new RegExp(HOST_NAME).test(name)
}

/** A host of a pair, and the one beside it. @throws TwonodeError for the name of neither */
export function sidesOf(
  { hosts }: Pick<Site, 'hosts'>,
  name: string,
): { readonly own: SiteHost; readonly peer: SiteHost } {
  const [first, second] = hosts
  if (name === first.name) return { own: first, peer: second }
  if (name === second.name) return { own: second, peer: first }
  throw new TwonodeError('E_BUG', `the site has no host ${name}`)
}

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface VirtualIp {
  readonly address: string
  readonly prefix: number
  readonly interface: string
}

/** The third party that keeps the claim of a site (A4). */
export type WitnessSettings = {
  /** For one request. @unit milliseconds */
  readonly timeoutMs: number
} & (
  | {
      readonly kind: 'http'
      /** Of the claim itself. */
      readonly url: string
      /** PEM; null: whom the system trusts. */
      readonly ca: string | null
      /** Shown as a bearer token. */
      readonly token: { readonly $secret: string } | null
    }
  /** A folder of a share that both hosts have mounted. */
  | { readonly kind: 'file'; readonly directory: string }
  /** Run with `read`, or with `swap`, as its last argument. */
  | { readonly kind: 'script'; readonly command: readonly string[] }
)

/** How a host is powered off by the other one, and how that sees that it is. */
export interface FencingSettings {
  /** What is run against each host, by its name. */
  readonly commands: Readonly<Record<string, PowerCommands>>
  /** A regular expression: what `status` prints of a host that is off, and of no other. */
  readonly says: string
  /** On both commands' standard input. */
  readonly input: { readonly $secret: string } | null
  /** Of one command. @unit milliseconds */
  readonly timeoutMs: number
  /** A follower waits so much longer than its leader. @unit milliseconds */
  readonly followerDelayMs: number
}

export interface PowerCommands {
  readonly off: readonly string[]
  readonly status: readonly string[]
}

export interface LivenessSettings {
  readonly intervalMs: number
  readonly failures: number
  /** TCP port of the agents' API, on the host's address. */
  readonly port: number
  /** Absolute path of a further probe, run without arguments. */
  readonly script: string | null
  /** Time between two runs of the script. */
  readonly scriptIntervalMs: number
  /** After it the script and all that it started are killed. */
  readonly scriptTimeoutMs: number
}

/** When a leader that is cut off stops, and when its follower takes over; src/pair/timing.ts has the proof. */
export function fenceAndPromote({
  intervalMs,
  failures,
}: Pick<LivenessSettings, 'intervalMs' | 'failures'>): {
  readonly fenceMs: number
  readonly promoteMs: number
} {
  return { fenceMs: (failures - 1) * intervalMs, promoteMs: failures * intervalMs }
}

/** How often the agent converges its host though nothing has changed. */
export interface ReconcileSettings {
  readonly intervalMs: number
}

export interface ReplicationSettings {
  /** @unit bytes of lag that a promotion may lose under `availability` */
  readonly acceptLossBytes: number
  /** Bound of the WAL that a dead follower may keep on the leader. @unit MB */
  readonly maxSlotWalKeepMb: number
}

/** What is kept of branches that lost. */
export interface SalvageSettings {
  /** Old tables, and records of what was settled. */
  readonly keep: number
  /** Bound of the values in one salvage. @unit MB */
  readonly maxSizeMb: number
}

export interface PostgresSettings {
  readonly version: number
  readonly port: number
  readonly database: string
  readonly dataDirectory: string
  readonly settings: Readonly<Record<string, string>>
  /** By host, of those that have another version while the major version is changed. */
  readonly versions?: Readonly<Record<string, number>>
}

/** Where Debian puts the data of a cluster. @source pg_createcluster(1) */
export function debianDataDirectory(version: number): string {
  return `/var/lib/postgresql/${version}/main`
}

/** PostgreSQL as one host has it. */
export function postgresOf({ postgres }: Pick<Site, 'postgres'>, host: string): PostgresSettings {
  const version = postgres.versions?.[host] ?? postgres.version
  if (version === postgres.version) return postgres
  return { ...postgres, version, dataDirectory: debianDataDirectory(version) }
}

/** The site whose hosts have these versions of PostgreSQL; told by host only where one differs. */
export function withVersions(site: Site, versions: Readonly<Record<string, number>>): Site {
  const { versions: _, ...postgres } = site.postgres
  const other = Object.entries(versions).filter(([, version]) => version !== postgres.version)
  return {
    ...site,
    postgres: other.length === 0 ? postgres : { ...postgres, versions: Object.fromEntries(other) },
  }
}

/** The site as one host sees it. */
export function siteOfHost(site: Site, host: string): Site {
  const postgres = postgresOf(site, host)
  return postgres === site.postgres ? site : { ...site, postgres }
}

export interface KineSettings {
  readonly version: string
  /** Address of a folder of releases, in place of the project's own. */
  readonly mirror?: string
  readonly binary: ArtifactSetting
  readonly port: number
}

/** An archive of container images that k3s takes in when it starts. */
export interface ImageArchive {
  /** What it is called on the host. */
  readonly name: string
  readonly binary: ArtifactSetting
}

export interface K3sSettings {
  readonly version: string
  /** As kine's. */
  readonly mirror?: string
  /** One at most: whatever a list in a playbook goes through may be empty. */
  readonly images: readonly ImageArchive[]
  readonly binary: ArtifactSetting
  readonly clusterCidr: string
  readonly serviceCidr: string
  /** Further keys of k3s' config file, the same on both hosts. */
  readonly config: Readonly<Record<string, unknown>>
}

/** One of `path` (on the controller) and `url`; sha256 of a path is computed when it is not given. */
export interface ArtifactSetting {
  readonly path?: string
  readonly url?: string
  readonly sha256?: string
}

/** How a branch began. A promotion moves the revision on by a jump, the others by one (A7). */
export type Began = 'first' | 'promotion' | 'handover'

/** Where a branch left the history that it continues (A1); its leader writes it down with its marker. */
export interface ForkPoint {
  /** The branch that it continues. */
  readonly from: number
  /** The slot by which that history came: what was beyond it is seen through this one. */
  readonly slot: string | null
  /** The origin's LSN, a position in the old leader's WAL; null: nothing had been streamed yet. */
  readonly lsn: string | null
  /** Rows of the table. */
  readonly count: number
  /** Sum of their ids, as text: it outgrows a number. */
  readonly sum: string
  /** The highest id. */
  readonly max: number
  readonly compactRevision: number
}

/** What hostMeta decides, and nothing else does. */
export interface PairState {
  readonly leader: string
  readonly term: number
  readonly branch: number
  readonly mode: Mode
  /** The follower's slot on the leader; null while there is none. */
  readonly slot: string | null
  readonly began: Began
  /** null: the first branch, or one whose leader has not written its marker yet. */
  readonly fork: ForkPoint | null
}
