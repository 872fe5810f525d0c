import { stringify } from 'yaml'
import type { Artefacts } from './artefacts.ts'
import type { Lab } from './lab.ts'

/** An inventory of a lab's two hosts; with artefacts, one that a whole pair can be made from. */
export function inventoryYaml(lab: Lab, artefacts?: Artefacts): string {
  const { h1, h2 } = lab.hosts
  const host = (name: string, { address, user, keyFile }: typeof h1): object => ({
    name,
    address,
    ssh: { user, identityFile: keyFile, knownHosts: lab.knownHostsFile },
  })
  return stringify({
    name: lab.name,
    hosts: [host('h1', h1), host('h2', h2)],
    virtualIp: { address: lab.virtualIp, interface: 'eth0' },
    gateway: lab.gateway,
    ...(artefacts === undefined
      ? {}
      : { kine: binary(artefacts.kine), k3s: binary(artefacts.k3s) }),
  })
}

function binary({ version, path, sha256 }: Artefacts['kine']): object {
  return { version, path, sha256 }
}
