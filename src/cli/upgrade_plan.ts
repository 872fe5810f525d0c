import { TwonodeError } from '../core/errors.ts'
import { hasOtherMajor } from './upgrade_major.ts'

/** What was asked for. */
export interface UpgradeWanted {
  /** The version that the inventory must name; undefined: it is left as it is. */
  readonly kine: string | undefined
  readonly k3s: string | undefined
  /** The inventory's; undefined: it is left as it is. */
  readonly postgresMajor: number | undefined
  readonly postgresMinor: boolean
  readonly packages: boolean
  readonly reboot: boolean
  readonly keepRoles: boolean
  readonly allowDowngrade: boolean
}

/** What a look has shown of one host. Null: it could not be found out. */
export interface HostState {
  readonly name: string
  readonly leads: boolean
  /** Its program is the inventory's, byte for byte. */
  readonly kine: ProgramState
  readonly k3s: ProgramState
  /** Packages that apt would upgrade. */
  readonly postgresPackages: readonly string[] | null
  readonly packages: readonly string[] | null
  /** @unit milliseconds since its boot */
  readonly upMs: number | null
  readonly boot: BootState
  /** A dpkg was killed there: packages are half installed, and what they run may be stopped. */
  readonly dpkgCut: boolean
  readonly node: NodeState
  readonly postgres: MajorState
}

/** PostgreSQL's major version on a host. Null: there is none, or it could not be found out. */
export interface MajorState {
  /** Of the cluster that starts with the host. */
  readonly serves: number | null
  /** Of the site that its agent goes by: a change of the version ends with it. */
  readonly site: number | null
  /** Schemas with tables of other histories. */
  readonly keptAside: readonly string[]
  /** Of kine's database. @unit bytes */
  readonly size: number | null
  /** Where clusters are. @unit bytes */
  readonly room: number | null
}

/**
 * Why a host that has booted lately should boot again: packages that were changed since run from its next
 * boot on, and one of them may have asked for it, as a kernel does. `none`: not for these.
 */
export type BootState = 'none' | 'packages-changed' | 'asked-for'

/**
 * What Kubernetes says of the host's node: `none`, for a host that runs the control plane alone; `drained`,
 * by an upgrade that has not taken it back; `cordoned`, by somebody else, and stays so; `unknown`, it gave
 * no answer.
 */
export type NodeState = 'none' | 'there' | 'drained' | 'cordoned' | 'unknown'

export interface ProgramState {
  readonly current: boolean
  /** As it says itself; null: not known. */
  readonly version: string | null
}

/** What is done on one host, in this order. */
export type Work = 'kine' | 'k3s' | 'postgres-major' | 'postgres-minor' | 'packages' | 'reboot'

export interface HostWork {
  readonly name: string
  readonly leads: boolean
  readonly work: readonly Work[]
  /** Its node is still as a run before this one drained it. */
  readonly isDrained: boolean
}

/** A host has its turn for its node alone, too. */
export function hasTurn({ work, isDrained }: HostWork): boolean {
  return work.length > 0 || isDrained
}

/**
 * A host that booted since then is one that this upgrade, or the run of it before, has booted. A run
 * that was cut has no memory but this. @unit milliseconds
 */
export const BOOTED_LATELY_MS = 60 * 60_000

/** The follower first; what is done already is left out, so that a second run goes on. Pure. */
export function workOf(wanted: UpgradeWanted, hosts: readonly HostState[]): readonly HostWork[] {
  return hosts
    .toSorted((a, b) => Number(a.leads) - Number(b.leads))
    .map((host) => {
      const { name, leads, node } = host
      return { name, leads, work: workFor(wanted, host), isDrained: node === 'drained' }
    })
}

function workFor(wanted: UpgradeWanted, host: HostState): readonly Work[] {
  const postgres = wanted.postgresMinor && waits(host.postgresPackages)
  const packages = wanted.packages && waits(host.packages)
  const needed: Readonly<Record<Work, boolean>> = {
    kine: wanted.kine !== undefined && !host.kine.current,
    k3s: wanted.k3s !== undefined && !host.k3s.current,
    'postgres-major': hasOtherMajor(wanted, host),
    'postgres-minor': postgres,
    packages,
    reboot: wanted.reboot && (postgres || packages || !hasBooted(host)),
  }
  return (Object.keys(needed) as Work[]).filter((work) => needed[work])
}

/** Since this upgrade has begun, and with what it has installed. */
function hasBooted({ upMs, boot }: HostState): boolean {
  return upMs !== null && upMs <= BOOTED_LATELY_MS && boot === 'none'
}

function waits(packages: readonly string[] | null): boolean {
  return packages === null || packages.length > 0
}

/** PostgreSQL, or the whole host, stops for it: its leader goes alone first. */
export function stopsPostgres({ work }: Pick<HostWork, 'work'>): boolean {
  return work.some((one) => one !== 'kine' && one !== 'k3s')
}

const COPIED =
  'a new cluster of PostgreSQL begins empty and is copied from the other host: until the pair is whole again writes are on one disk; the old one stays, stopped'

/** The plan as sentences. */
export function upgradeText(
  works: readonly HostWork[],
  { keepRoles }: Pick<UpgradeWanted, 'keepRoles'>,
): readonly string[] {
  const lines = works.map(({ name, leads, work, isDrained }) => {
    const role = leads ? 'leads' : 'follows'
    const steps = [...work, ...(isDrained ? ['its node is taken back'] : [])]
    return `${name} ${role}: ${steps.length === 0 ? 'nothing is to be done' : steps.join(', then ')}`
  })
  const copied = works.some(({ work }) => work.includes('postgres-major')) ? [COPIED] : []
  const leader = works.find(({ leads }) => leads)
  if (leader === undefined || leader.work.length === 0) return [...lines, ...copied]
  return [
    ...lines,
    ...copied,
    keepRoles
      ? `the roles stay: nobody can write while ${leader.name} stands still`
      : `before ${leader.name} its lead is handed over: writes stand still for a second or two, once`,
  ]
}

/** Why an upgrade to that version is none. @throws TwonodeError E_USAGE, E_DOWNGRADE */
export function refuseVersion(
  program: 'kine' | 'k3s',
  { wanted, inventory }: { readonly wanted: string; readonly inventory: string },
): void {
  if (wanted === inventory) return
  throw new TwonodeError('E_USAGE', `--${program} ${wanted}: the inventory has ${inventory}`, {
    hint: `Write ${program}'s version ${wanted} there first, with its path or url and its sha256: a later converge would bring the other one back.`,
  })
}

/** An older program on a newer one's data is nobody's upgrade. */
export function refuseDowngrades(wanted: UpgradeWanted, hosts: readonly HostState[]): void {
  if (wanted.allowDowngrade) return
  for (const program of ['kine', 'k3s'] as const)
    for (const { name, [program]: state } of hosts) {
      const version = wanted[program]
      if (version === undefined || state.current || state.version === null) continue
      if (compareVersions(version, state.version) >= 0) continue
      throw new TwonodeError(
        'E_DOWNGRADE',
        `${name} has ${program} ${state.version}, and ${version} is older`,
        {
          hint: 'Pass --allow-downgrade if that is meant; Kubernetes itself promises nothing then.',
        },
      )
    }
}

/** `v1.34.1+k3s1` and the like, number by number. */
function compareVersions(one: string, other: string): number {
  const [ours, theirs] = [numbersOf(one), numbersOf(other)]
  const length = Math.max(ours.length, theirs.length)
  for (let i = 0; i < length; i++) {
    const difference = (ours[i] ?? 0) - (theirs[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function numbersOf(version: string): readonly number[] {
  return [...version.matchAll(/\d+/g)].map(([text]) => Number(text))
}

/** The first version that a program's words hold. */
export function versionIn(words: string): string | null {
  return /v?\d+\.\d+\.\d+(?:[+-][0-9A-Za-z.]+)?/.exec(words)?.[0] ?? null
}

/** The packages that `apt-get --simulate` would upgrade, or configure because a dpkg was cut. */
export function packagesIn(words: string): readonly string[] {
  const installs = [...words.matchAll(/^Inst (\S+)( \[)?/gm)]
  const upgrades = installs.flatMap(([, name = '', older]) => (older === undefined ? [] : [name]))
  const unpacked = new Set(installs.map(([, name]) => name))
  const cut = [...words.matchAll(/^Conf (\S+)/gm)].map(([, name = '']) => name)
  return [...upgrades, ...cut.filter((name) => !unpacked.has(name))]
}
