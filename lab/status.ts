import { sshAnswers } from './hosts.ts'
import { labAddresses, type HostName, type LabObjects } from './names.ts'
import type { Cut } from './network.ts'
import { findInit } from './processes.ts'
import { answers, REPOSITORY_PORT } from './repository.ts'
import type { LabState } from './state.ts'

export interface HostStatus {
  readonly address: string
  readonly power: 'on' | 'off'
  readonly ssh: boolean
}

export interface LabStatus {
  readonly name: string
  readonly subnet: string
  readonly virtualIp: string
  readonly repository: boolean
  readonly hosts: Readonly<Record<HostName, HostStatus>>
  readonly snapshots: readonly string[]
  readonly cuts: readonly Cut[]
  readonly delays: LabState['delays']
  readonly losses: LabState['losses']
}

/** What is up of a lab, asked of the machine; cuts, delays and losses as they were last ordered. */
export async function labStatus(objects: LabObjects, state: LabState): Promise<LabStatus> {
  const addresses = labAddresses(state.index)
  const status = async (name: HostName): Promise<HostStatus> => {
    const address = addresses.hosts[name]
    const on = findInit(objects.hosts[name]) !== undefined
    return { address, power: on ? 'on' : 'off', ssh: on && (await sshAnswers(address)) }
  }
  const [h1, h2] = await Promise.all([status('h1'), status('h2')])
  return {
    name: objects.name,
    subnet: addresses.subnet,
    virtualIp: addresses.virtualIp,
    repository: await answers(`http://${addresses.gateway}:${REPOSITORY_PORT}/Release`),
    hosts: { h1, h2 },
    snapshots: Object.keys(state.snapshots),
    cuts: state.cuts,
    delays: state.delays,
    losses: state.losses,
  }
}
