import { appendFileSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from './lab.ts'
import { type Laptop, withInventory } from './twonode_process.ts'

/** The version that a laptop's inventory gives it. */
export const NEWER_KINE = 'v99.0.0'

/** The same program, built again: a byte more at its end, and another version by its inventory. */
export async function withNewerKine(lab: Lab, from: Laptop): Promise<Laptop> {
  const { kine } = await lab.artefacts()
  const path = join(from.home, 'kine-newer')
  copyFileSync(kine.path, path)
  appendFileSync(path, '\n')
  return withInventory(from, 'newer.yaml', (site) => ({
    ...site,
    kine: { version: NEWER_KINE, path },
  }))
}
