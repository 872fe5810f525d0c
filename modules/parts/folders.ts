import type { MakeDirectory } from '../../src/core/change.ts'
import type { Observer } from '../../src/core/host.ts'
import type { Ownership } from './ownership.ts'
import { parentOf } from './paths.ts'

const ROOT_FOLDER: Ownership = { mode: 0o755, owner: 'root', group: 'root' }

/** Deepest path whose parents are made. @unit folders */
const DEEPEST = 64

/** The folders above a path that do not exist, the highest first. */
export async function missingAbove(host: Observer, path: string): Promise<readonly string[]> {
  const missing: string[] = []
  let folder = parentOf(path)
  for (let depth = 0; depth < DEEPEST && folder !== '/'; depth += 1) {
    if ((await host.stat(folder)) !== undefined) break
    missing.unshift(folder)
    folder = parentOf(folder)
  }
  return missing
}

/** Changes that make the missing folders above a path. */
export function foldersAbove(missing: readonly string[]): readonly MakeDirectory[] {
  return missing.map((folder) => makeDirectory(folder, ROOT_FOLDER))
}

/** The change that makes a directory. */
export function makeDirectory(path: string, { mode, owner, group }: Ownership): MakeDirectory {
  return { kind: 'directory', path, mode, owner, group }
}
