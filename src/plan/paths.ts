import { posix } from 'node:path'

/**
 * A path as written in `file`, seen from where `file`'s own path starts. `~/…` and absolute paths
 * stay as they are: what `~` is, only the program that opens files knows.
 */
export function resolvePath(file: string, path: string): string {
  if (path.startsWith('/') || path.startsWith('~/')) return path
  return posix.join(posix.dirname(file), path)
}

/** The last part of a path: a blob is known by it. */
export function baseName(path: string): string {
  return posix.basename(path)
}
