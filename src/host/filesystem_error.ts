import { TwonodeError } from '../core/errors.ts'

/** What the system's codes mean to the person who has to do something about it. */
const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the file system',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted (an immutable file?)',
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  ENOTEMPTY: 'the directory is not empty',
  EBUSY: 'it is a mount point or in use: the mounted file can not be replaced',
  ELOOP: 'its path has too many links',
  ENAMETOOLONG: 'its name is too long',
  EIO: 'the disk reports an error',
  EMFILE: 'too many open files',
}

/** The code of a system error, or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

/** True for what a file system says, false for networks, compressors and all else. */
export function isFilesystemError(error: unknown): boolean {
  return Object.hasOwn(WORDS, systemCode(error) ?? '')
}

/** True for "there is no such file", wherever on the path it ends. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** A system error as ours: `can not write /etc/x: no space left on the file system`. */
export function filesystemError(act: string, path: string, error: unknown): unknown {
  const code = systemCode(error)
  if (error instanceof TwonodeError || code === undefined) return error
  return refusal(act, path, WORDS[code] ?? code, error)
}

/** Our own refusal to touch a path. */
export function refusal(act: string, path: string, reason: string, cause?: unknown): TwonodeError {
  return new TwonodeError('E_FILESYSTEM', `can not ${act} ${path}: ${reason}`, { cause })
}

/** Runs an operation and turns what the system says into words. */
export async function inWords<T>(
  act: string,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    throw filesystemError(act, path, error)
  }
}
