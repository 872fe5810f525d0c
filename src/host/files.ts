import { constants } from 'node:fs'
import { lstat, open, readdir, readlink, type FileHandle } from 'node:fs/promises'
import type { FileStat } from '../core/host.ts'
import type { Accounts } from './accounts.ts'
import { inWords, isAbsent, refusal, systemCode } from './filesystem_error.ts'

/** Files that modules read are configuration: more than this is a mistake. @unit bytes */
export const READ_BYTES = 8 * 1024 * 1024

const CHUNK_BYTES = 64 * 1024

/** Content as UTF-8, or undefined if there is no such file. Size 0 says nothing: /proc is read too. */
export async function readText(path: string): Promise<string | undefined> {
  return await withFile(path, async (file) => {
    const chunks: Buffer[] = []
    let total = 0
    for await (const chunk of chunksOf(file, CHUNK_BYTES)) {
      total += chunk.length
      if (total > READ_BYTES) throw refusal('read', path, 'it is larger than 8 MB')
      chunks.push(Buffer.from(chunk))
    }
    return Buffer.concat(chunks).toString('utf8')
  })
}

/** Opens a regular file for reading and closes it again; undefined if there is none. */
export async function withFile<T>(
  path: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  return await inWords('read', path, async () => {
    const file = await openIfThere(path)
    if (file === undefined) return undefined
    try {
      const found = await file.stat()
      if (!found.isFile())
        throw refusal('read', path, found.isDirectory() ? 'it is a directory' : 'it is no file')
      return await use(file)
    } catch (error) {
      if (hasEnded(path, error)) return undefined
      throw error
    } finally {
      await file.close()
    }
  })
}

/** The kernel's file of a process or a cgroup can be opened a moment longer than it can be read. */
function hasEnded(path: string, error: unknown): boolean {
  if (!/^\/(proc|sys)\//.test(path)) return false
  return ['ESRCH', 'ENODEV'].includes(systemCode(error) ?? '')
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    // O_NONBLOCK: a pipe without a writer must not hang the converge.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (isAbsent(error) || hasEnded(path, error)) return undefined
    throw error
  }
}

/** The bytes of an open file, in a buffer that is used again for each turn. */
export async function* chunksOf(file: FileHandle, chunkBytes: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

/** lstat with names; undefined if there is nothing. */
export async function statPath(path: string, accounts: Accounts): Promise<FileStat | undefined> {
  return await inWords('look at', path, async () => {
    try {
      const found = await lstat(path)
      const [owner, group, target] = await Promise.all([
        accounts.userName(found.uid),
        accounts.groupName(found.gid),
        found.isSymbolicLink() ? readlink(path) : undefined,
      ])
      return {
        kind: kindOf(found),
        mode: found.mode & 0o7777,
        uid: found.uid,
        gid: found.gid,
        owner,
        group,
        size: found.size,
        ...(target === undefined ? {} : { target }),
      }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  })
}

function kindOf(found: {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}): FileStat['kind'] {
  if (found.isFile()) return 'file'
  if (found.isDirectory()) return 'directory'
  return found.isSymbolicLink() ? 'link' : 'other'
}

/** Names in a directory, sorted; undefined if there is none. */
export async function listDirectory(path: string): Promise<readonly string[] | undefined> {
  return await inWords('list', path, async () => {
    try {
      return (await readdir(path)).sort()
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  })
}
