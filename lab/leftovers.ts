import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { run } from './command.ts'
import { mountsBelow } from './disks.ts'
import { HOST_NAMES, type LabObjects } from './names.ts'
import { networkFacts } from './network.ts'
import { cgroupsOf, processesOf, processesWith } from './processes.ts'
import { serverMark } from './repository.ts'
import { labDirectory } from './state.ts'

/**
 * What there is of a lab on this machine, one line each: processes, mounts, links, namespaces,
 * cgroups, packet rules, files. Empty after `down`, whatever happened before.
 */
export async function leftovers(objects: LabObjects): Promise<string[]> {
  const found: string[] = []
  const { links, namespaces } = await networkFacts()
  for (const host of HOST_NAMES) {
    const mine = objects.hosts[host]
    found.push(...processesOf(mine).map((pid) => `process ${pid} of ${host}`))
    found.push(...cgroupsOf(mine).map((path) => `cgroup ${path}`))
    if (links.has(mine.link)) found.push(`link ${mine.link}`)
    if (namespaces.has(mine.machine)) found.push(`network namespace ${mine.machine}`)
    found.push(...(await nspawnFiles(mine.machine)))
  }
  found.push(...processesWith(serverMark(objects)).map((pid) => `repository server ${pid}`))
  if (links.has(objects.bridge)) found.push(`link ${objects.bridge}`)
  const rules = await run(['nft', 'list', 'table', 'bridge', objects.nftTable])
  if (rules.code === 0) found.push(`nft table bridge ${objects.nftTable}`)
  const directory = labDirectory(objects.name)
  found.push(...(await mountsBelow(directory)).map((path) => `mount ${path}`))
  if (existsSync(directory)) found.push(`directory ${directory}`)
  return found
}

/** Where systemd-nspawn keeps files by machine name, which it leaves behind when it is killed. */
export const NSPAWN_DIRECTORIES = [
  '/run/systemd/nspawn/propagate',
  '/run/systemd/nspawn/unix-export',
]

async function nspawnFiles(machine: string): Promise<string[]> {
  const found: string[] = []
  for (const directory of NSPAWN_DIRECTORIES)
    for (const name of await readdir(directory).catch(() => []))
      if (name === machine) found.push(`directory ${directory}/${name}`)
  return found
}
