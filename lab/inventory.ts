import { stringify } from 'yaml'
import type { Lab } from './lab.ts'

/** An inventory of a lab's two hosts. */
export function inventoryYaml(lab: Lab): string {
  const { h1, h2 } = lab.hosts
  const host = ({ address, user, keyFile }: typeof h1): object => ({
    address,
    user,
    identityFile: keyFile,
  })
  return stringify({
    sites: {
      [lab.name]: {
        hosts: { h1: host(h1), h2: host(h2) },
        knownHosts: lab.knownHostsFile,
        initialLeader: 'h1',
        virtualIp: lab.virtualIp,
        gateway: lab.gateway,
      },
    },
  })
}
