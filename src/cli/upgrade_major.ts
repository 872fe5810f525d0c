import { TwonodeError } from '../core/errors.ts'
import { debianDataDirectory, postgresOf, type Site } from '../core/site.ts'
import type { HostState, UpgradeWanted } from './upgrade_plan.ts'

type Wanted = Pick<UpgradeWanted, 'postgresMajor' | 'keepRoles'>
type Host = Pick<HostState, 'name' | 'leads' | 'postgres'>

/** Beside a copy of the database: WAL up to `max_wal_size` is bounded by room, and 512 MB are never touched. */
const SPARE_BYTES = 512 * 1024 ** 2

const MB = 1024 ** 2

/** It has not gone over to the version yet, or not to the end. */
export function hasOtherMajor({ postgresMajor }: Wanted, { postgres }: Host): boolean {
  if (postgresMajor === undefined) return false
  return postgres.serves !== postgresMajor || postgres.site !== postgresMajor
}

/**
 * A follower that a run before this one left on its way: neither version serves, or the new one though its
 * agent does not know of it. The pair can not be whole before it has arrived.
 */
export function isOnItsWay(wanted: Wanted, host: Host): boolean {
  const { serves, site } = host.postgres
  return hasOtherMajor(wanted, host) && !host.leads && site !== null && serves !== site
}

/** Why this is no change of the major version for this site. @throws TwonodeError E_USAGE */
export function refuseMajor(site: Site, { postgresMajor: wanted, keepRoles }: Wanted): void {
  if (wanted === undefined) return
  const other = site.hosts.find(({ name }) => postgresOf(site, name).version !== wanted)
  if (other !== undefined)
    throw new TwonodeError(
      'E_USAGE',
      `--postgres-major ${wanted}: the inventory has ${postgresOf(site, other.name).version} for ${other.name}`,
      {
        hint: `Write \`postgres: { version: ${wanted} }\` there first; no converge moves a host by itself.`,
      },
    )
  if (keepRoles)
    throw new TwonodeError('E_USAGE', '--postgres-major does not go with --keep-roles', {
      hint: 'A new cluster is empty: only a follower can have one.',
    })
  const { dataDirectory } = site.postgres
  if (dataDirectory !== debianDataDirectory(wanted))
    throw new TwonodeError(
      'E_USAGE',
      `--postgres-major: postgres.dataDirectory is ${dataDirectory}, where the old cluster is`,
      { hint: `Leave it out: the new one is made in ${debianDataDirectory(wanted)}.` },
    )
}

/**
 * Why these hosts can not go over, or have to.
 * @throws TwonodeError E_DOWNGRADE, E_POSTGRES_MAJOR, E_FAILED
 */
export function refuseMajorOn(site: Site, wanted: Wanted, hosts: readonly Host[]): void {
  for (const host of hosts) {
    const { name, postgres } = host
    const { version } = postgresOf(site, name)
    if (postgres.serves === null || postgres.serves === version) continue
    if (postgres.serves > version)
      throw new TwonodeError(
        'E_DOWNGRADE',
        `${name} has PostgreSQL ${postgres.serves}, and ${version} is older`,
        { hint: `Write ${postgres.serves} into the inventory: there is no way back.` },
      )
    if (wanted.postgresMajor === undefined)
      throw new TwonodeError(
        'E_POSTGRES_MAJOR',
        `PostgreSQL ${postgres.serves} serves on ${name}, and the inventory has ${version}`,
        { hint: `Pass --postgres-major ${version} as well.` },
      )
    refuseKept(host)
    refuseRoom(host)
  }
}

/** What is in an old table is not copied: it would be out of reach. */
function refuseKept({ name, postgres: { keptAside } }: Host): void {
  if (keptAside.length === 0) return
  throw new TwonodeError('E_FAILED', `${name} keeps ${keptAside.join(', ')} aside`, {
    hint: 'Nothing of it is copied to a new cluster. Look at it first: `twonode salvage list` on the host, then replay or discard.',
  })
}

function refuseRoom({ name, postgres: { size, room } }: Host): void {
  if (size === null || room === null || room >= size + SPARE_BYTES) return
  const [needed, free] = [size + SPARE_BYTES, room].map((bytes) => Math.ceil(bytes / MB))
  throw new TwonodeError(
    'E_FAILED',
    `a second cluster needs ${needed} MB on ${name}, and ${free} MB are free`,
    { hint: 'The old one stays until you remove it. Make room in /var/lib/postgresql.' },
  )
}

/** Versions that hosts are about to leave behind. */
export function oldMajors({ postgresMajor: wanted }: Wanted, hosts: readonly Host[]): number[] {
  const older = hosts.flatMap(({ postgres: { serves } }) =>
    wanted === undefined || serves === null || serves >= wanted ? [] : [serves],
  )
  return [...new Set(older)]
}

/** What is left of the old clusters, in the end. */
export function oldClusterText(older: readonly number[]): string {
  const commands = older.map((version) => `\`pg_dropcluster ${version} main\``)
  return `the old cluster's data is kept on both hosts, as it was when it stopped: ${commands.join(' and ')} on each gives its room back`
}
