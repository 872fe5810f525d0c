import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../src/core/host.ts'
import { createLocalHost } from '../../src/host/local.ts'
import type { LawWorld } from './module_laws.ts'

/** This machine, in a folder of its own. `prepare` may put something there, or replace parts. */
export async function localWorld(
  prepare: (host: Host, root: string) => Promise<Partial<Host>> = async () => ({}),
): Promise<LawWorld> {
  const root = await mkdtemp(join(tmpdir(), 'twonode-module-'))
  const local = createLocalHost({ name: 'h1', digestsPath: null })
  const replaced = await prepare(local, root)
  return {
    host: { ...local, ...replaced },
    root,
    dispose: async () => {
      await local.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}
