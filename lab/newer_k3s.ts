import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import { type Laptop, withInventory } from './twonode_process.ts'

/** The next patch release of the one that the lab's hosts have. */
export interface NewerK3s {
  readonly laptop: Laptop
  readonly version: string
}

/** The same program, stamped with the next version, and a laptop whose inventory names it. */
export async function withNewerK3s(lab: Lab, from: Laptop): Promise<NewerK3s> {
  const { k3s } = await lab.artefacts()
  const version = k3s.version.replace(/\d+(?=\+)/, (patch) => String(Number(patch) + 1))
  if (version === k3s.version || version.length !== k3s.version.length)
    throw new LabError(`${k3s.version} has no next version of its length`, 'See newer_k3s.ts.')
  const path = join(from.home, 'k3s-newer')
  // Strings of a Go program stand in it as they are.
  const program = readFileSync(k3s.path)
  for (let at = program.indexOf(k3s.version); at >= 0; at = program.indexOf(k3s.version, at))
    program.write(version, at)
  writeFileSync(path, program, { mode: 0o755 })
  const changed = (site: object) => ({ ...site, k3s: { version, path } })
  return { laptop: withInventory(from, 'newer-k3s.yaml', changed), version }
}
