import { LabError } from './lab_error.ts'

/** A lab has these hosts, always. */
export const HOST_NAMES = ['h1', 'h2'] as const
export type HostName = (typeof HOST_NAMES)[number]

/** The machine's objects that belong to one host, all derived from the lab's name alone. */
export interface HostObjects {
  readonly host: HostName
  /** Network namespace, nspawn machine and cgroup: one name for all three. */
  readonly machine: string
  /** The bridge's end of the host's link; the host's own end is eth0. */
  readonly link: string
}

/**
 * Everything of a lab on the machine can be found from its name alone, so that `down` needs no
 * memory: it clears up after a crash of the machine or of the lab command at any moment.
 */
export interface LabObjects {
  readonly name: string
  readonly bridge: string
  readonly nftTable: string
  readonly hosts: Readonly<Record<HostName, HostObjects>>
}

export interface LabAddresses {
  readonly subnet: string
  readonly gateway: string
  /** Never assigned by the lab: the pair brings it up. */
  readonly virtualIp: string
  readonly hosts: Readonly<Record<HostName, string>>
}

/** Interface names have at most 15 characters: `tn-` + name + `-h1`. */
const LAB_NAME = /^[a-z][a-z0-9]{0,7}$/

/** The names of a lab's objects. Throws a {@link LabError} for a name that does not fit. */
export function labObjects(name: string): LabObjects {
  if (!LAB_NAME.test(name))
    throw new LabError(
      `lab name '${name}': 1 to 8 lower-case letters and digits, a letter first`,
      'Interface names are made of it, and Linux allows them 15 characters.',
      { exitCode: 2 },
    )
  const host = (host: HostName): HostObjects => ({
    host,
    machine: `tn-${name}-${host}`,
    link: `tn-${name}-${host}`,
  })
  return {
    name,
    bridge: `tn-${name}-br`,
    nftTable: `tn-${name}`,
    hosts: { h1: host('h1'), h2: host('h2') },
  }
}

/** Addresses of the lab that has the number `index` (0 for the default lab), 10.77.INDEX.0/24. */
export function labAddresses(index: number): LabAddresses {
  const at = (last: number): string => `10.77.${index}.${last}`
  return {
    subnet: `${at(0)}/24`,
    gateway: at(1),
    virtualIp: at(10),
    hosts: { h1: at(11), h2: at(12) },
  }
}

export function peerOf(host: HostName): HostName {
  return host === 'h1' ? 'h2' : 'h1'
}
