import { TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import { postgresOf } from '../core/site.ts'
import type { RunSettings } from './run_state.ts'

/**
 * Why a host can not get the inventory's major version of PostgreSQL by this converge. A new cluster is
 * empty: only a follower can have one, and it copies from a leader that stays as it is meanwhile.
 */
export function otherMajor(
  {
    site,
    lookOnly,
    setsUpPostgres,
    overTo,
  }: Pick<RunSettings, 'site' | 'lookOnly' | 'setsUpPostgres' | 'overTo'>,
  hellos: readonly Pick<HelloEvent, 'host' | 'postgresMajor'>[],
  leader: string,
): TwonodeError | undefined {
  if (!lookOnly && !setsUpPostgres) return undefined
  for (const { host, postgresMajor: serves } of hellos) {
    const { version: wanted } = postgresOf(site, host)
    if (serves === undefined || serves === wanted) continue
    if (serves > wanted)
      return new TwonodeError(
        'E_DOWNGRADE',
        `PostgreSQL ${serves} serves on ${host}, and the inventory has ${wanted}, which is older`,
        { hint: `Write ${serves} there: nothing takes a cluster back to an older major version.` },
      )
    if (overTo !== host)
      return new TwonodeError(
        'E_POSTGRES_MAJOR',
        `PostgreSQL ${serves} serves on ${host}, and the inventory has ${wanted}`,
        {
          hint: `\`twonode upgrade --postgres-major ${wanted}\` brings it, one host after the other; or write ${serves} back until then.`,
        },
      )
    if (host === leader)
      return new TwonodeError(
        'E_POSTGRES_MAJOR',
        `${host} leads, and a cluster of PostgreSQL ${wanted} is empty at first`,
      )
  }
  return undefined
}

/** That a change of the major version is half done, for whoever looks. */
export function mixedMajors(
  hellos: readonly Pick<HelloEvent, 'host' | 'postgresMajor'>[],
): string | undefined {
  const known = hellos.flatMap(({ host, postgresMajor: serves }) =>
    serves === undefined ? [] : [{ host, serves }],
  )
  const newest = Math.max(...known.map(({ serves }) => serves))
  if (known.every(({ serves }) => serves === newest)) return undefined
  const each = known.map(({ host, serves }) => `${serves} on ${host}`).join(', ')
  return `two major versions of PostgreSQL serve: ${each}; \`twonode upgrade --postgres-major ${newest}\` ends that`
}
