import type { JsonObject } from '../core/json.ts'
import { type PairState, type Role, type Site, siteOfHost } from '../core/site.ts'
import { mapValues, UNKNOWN, type Names } from './values.ts'

/** Facts that every host tells; nothing else may be named under `facts`. */
export const FACTS = {
  hostname: 'Name that the host gives itself.',
  architecture: 'As `uname -m`: `x86_64`, `aarch64`.',
  distribution: 'ID of /etc/os-release: `debian`.',
  distributionVersion: 'VERSION_ID of /etc/os-release, as text: `12`.',
  kernel: 'Release of the kernel.',
  memoryMb: 'Memory in MB, a whole number.',
  cpus: 'Number of processors.',
  interfaces: 'Network interfaces: a list of {name, addresses}.',
  systemdVersion: 'Version of systemd, a whole number.',
} as const

/** Names at the top that templates and expressions may use, beside registered results. */
export const RESERVED_NAMES = ['vars', 'host', 'peer', 'site', 'facts', 'item'] as const

/** What makes the names of one host before it is asked. */
export interface NamesOf {
  readonly site: Site
  readonly host: string
  /** By host: variables of all levels above the playbook's. */
  readonly vars: Readonly<Record<string, JsonObject>>
  /** The role that the play asks for; undefined: it may have either. */
  readonly role: Role | undefined
}

/**
 * The names of one host as far as the laptop knows them: what only the host will know is
 * {@link UNKNOWN} in its place. `vars` stand as they are, their templates not rendered.
 */
export function earlyNames({ site, host, vars, role }: NamesOf): Names {
  const side = (name: string, of: Role | undefined) => ({
    name,
    address: site.hosts.find((one) => one.name === name)?.address ?? '',
    role: of ?? UNKNOWN,
    vars: vars[name] ?? {},
  })
  const peer = site.hosts.find(({ name }) => name !== host)?.name ?? ''
  return {
    vars: vars[host] ?? {},
    host: side(host, role),
    peer: side(peer, role === undefined ? undefined : otherRole(role)),
    site: { ...siteOfHost(site, host), ...UNKNOWN_PAIR },
    facts: mapValues(FACTS, () => UNKNOWN),
  }
}

/** What hostMeta decides is not in the inventory. */
const UNKNOWN_PAIR: Readonly<Record<keyof PairState, unknown>> = {
  leader: UNKNOWN,
  term: UNKNOWN,
  branch: UNKNOWN,
  mode: UNKNOWN,
  slot: UNKNOWN,
  began: UNKNOWN,
  fork: UNKNOWN,
}

function otherRole(role: Role): Role {
  return role === 'leader' ? 'follower' : 'leader'
}
