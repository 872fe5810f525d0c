import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readFile, readlink, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import type { StagedFile, WriteOptions } from '../core/host.ts'
import { reveal, type Text } from '../core/secret.ts'
import { inWords, isAbsent, refusal } from './filesystem_error.ts'

/** Every temporary file of ours starts so: a later run knows what a cut one left. */
export const TEMPORARY_PREFIX = '.twonode-'

/** Most of a file's name that fits behind the prefix. @unit bytes */
const NAME_BYTES = 200

/** Who a file belongs to, in numbers, and its permission bits. */
export interface Ownership {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * A name beside `path`, hidden, so that directories read by services (conf.d) ignore it, with the
 * file's own name at its end, so that validators that go by the suffix still know it.
 */
export function temporaryBeside(path: string): string {
  const name = Buffer.from(basename(path)).subarray(-NAME_BYTES).toString('utf8')
  return join(dirname(path), `${TEMPORARY_PREFIX}${randomBytes(4).toString('hex')}.${name}`)
}

/**
 * Writes content beside its target, durable and with its final owner and mode. `expected` undefined:
 * whatever is there may be replaced. The new file is another inode: hard links to the old one keep the
 * old content, and its ACLs and extended attributes are not taken over.
 */
export async function stageText(
  path: string,
  content: Text,
  owned: Ownership,
  expected: WriteOptions['expected'] | undefined,
): Promise<StagedFile> {
  return await inWords('write', path, async () => {
    await refuseToReplace(path)
    const temporary = temporaryBeside(path)
    try {
      await withNewFile(temporary, async (file) => {
        await file.writeFile(reveal(content), 'utf8')
        await settle(file, owned)
      })
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    return {
      path: temporary,
      commit: async () =>
        await inWords('write', path, async () => {
          if (expected !== undefined) await refuseIfChanged(path, expected)
          await refuseToReplace(path)
          await moveIntoPlace(temporary, path)
        }),
      discard: async () => await rm(temporary, { force: true }),
    }
  })
}

/** Makes a new file, readable by root only until {@link settle}, and closes it again. */
export async function withNewFile(
  path: string,
  fill: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await fill(file)
  } finally {
    await file.close()
  }
}

/** Final owner and mode (in this order: chown drops set-user-id bits), then to the disk. */
export async function settle(file: FileHandle, { mode, uid, gid }: Ownership): Promise<void> {
  await file.chown(uid, gid)
  await file.chmod(mode)
  await file.sync()
}

/** Renames over the target and makes the new name durable. */
export async function moveIntoPlace(temporary: string, path: string): Promise<void> {
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** Makes names that were made, changed or removed in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** A rename would silently take the place of a link, and fails late on a directory. */
export async function refuseToReplace(path: string): Promise<void> {
  const found = await lstatIfThere(path)
  if (found === undefined || found.isFile()) return
  if (found.isSymbolicLink())
    throw refusal('write', path, `it is a link to ${await readlink(path)}: name that file instead`)
  throw refusal('write', path, found.isDirectory() ? 'it is a directory' : 'it is no plain file')
}

async function lstatIfThere(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

async function refuseIfChanged(path: string, expected: string | null): Promise<void> {
  const found = await readIfThere(path)
  if (found === undefined && expected === null) return
  if (found !== undefined && expected !== null) {
    if (sha256(found) === expected) return
    // Bytes that are no UTF-8 were read as replacement characters: compare what the reader saw.
    if (sha256(Buffer.from(found.toString('utf8'))) === expected) return
  }
  const what = found === undefined ? 'vanished' : expected === null ? 'appeared' : 'was changed'
  throw new TwonodeError('E_CHANGED_MEANWHILE', `${path} ${what} while it was being replaced`)
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
