import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { baseImage } from './base.ts'
import { must } from './command.ts'
import { hostRoot } from './disks.ts'
import type { Lab } from './lab.ts'
import type { HostName } from './names.ts'
import { debianRepository } from './repository.ts'
import { finished, type Laptop, startTwonode } from './twonode_process.ts'

/** Where a stick is plugged in on a host. */
export const STICK = '/srv/stick'

/** What a person carries to the hosts. */
export interface Stick {
  /** On this machine: the bundle, its signature and install.sh. */
  readonly folder: string
  /** Name of the bundle in it. */
  readonly name: string
  readonly sha256: string
  /** Fingerprint of who signed it. */
  readonly signer: string
}

/** Makes the bundle of a laptop's inventory, with the packages that the lab's bare hosts lack. */
export async function makeStick(laptop: Laptop, name: string): Promise<Stick> {
  const folder = join(laptop.home, 'stick', name)
  mkdirSync(folder, { recursive: true })
  const key = join(laptop.home, 'signer')
  if (!existsSync(key)) await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
  const packages = await debianRepository(await baseImage(false))
  const output = join(folder, `${name}.twonode`)
  const words = ['-i', laptop.inventory, '-o', output, '--key', key, '--packages', packages]
  const run = await finished(startTwonode(laptop, ['bundle', '--json', ...words]))
  if (run.code !== 0) throw new Error(`twonode bundle: ${run.stderr}${run.stdout}`)
  const { sha256, signer } = JSON.parse(run.stdout) as Pick<Stick, 'sha256' | 'signer'>
  return { folder, name: `${name}.twonode`, sha256, signer }
}

/** Plugs it in: its files are on the host's disk. */
export function plugIn(lab: Lab, host: HostName, { folder }: Stick): void {
  cpSync(folder, join(hostRoot(lab.name, host), STICK), { recursive: true })
}

/** The host reaches what is on its own wire, and nothing else; it knows no other packages. */
export async function cutUplink(lab: Lab, host: HostName): Promise<void> {
  await lab.exec(host, ['ip', 'route', 'flush', 'default'])
  writeFileSync(join(hostRoot(lab.name, host), 'etc/apt/sources.list'), '')
}
