import { constants } from 'node:fs'
import {
  chmod,
  chown,
  lchown,
  lstat,
  mkdir,
  open,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { inWords, isAbsent, refusal, systemCode } from './filesystem_error.ts'
import { moveIntoPlace, syncDirectory, temporaryBeside, type Ownership } from './staged_file.ts'

/** Sets mode and owner of what is there. A link's owner is its own; it has no mode. */
export async function changeAttributes(path: string, wanted: Partial<Ownership>): Promise<void> {
  await inWords('set the attributes of', path, async () => {
    const found = await lstat(path)
    const uid = wanted.uid ?? found.uid
    const gid = wanted.gid ?? found.gid
    const mode = wanted.mode ?? found.mode & 0o7777
    if (found.isSymbolicLink()) {
      if (wanted.mode !== undefined) throw refusal('set the mode of', path, 'it is a link')
      await lchown(path, uid, gid)
    } else if (found.isFile() || found.isDirectory()) {
      await changeOpened(path, { uid, gid, mode })
    } else {
      await chown(path, uid, gid)
      await chmod(path, mode)
    }
  })
}

/** By descriptor: what was a file a moment ago is not followed if it has become a link. */
async function changeOpened(path: string, { uid, gid, mode }: Ownership): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    await file.chown(uid, gid)
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes a directory, exactly with this mode; its parent must be there. */
export async function makeDirectory(path: string, owned: Ownership): Promise<void> {
  await inWords('make directory', path, async () => {
    try {
      await mkdir(path, { mode: 0o700 })
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
      if (!(await lstat(path)).isDirectory())
        throw refusal('make directory', path, 'there is something else of that name')
    }
    await changeOpened(path, owned)
    await syncDirectory(dirname(resolve(path)))
  })
}

/** Makes a link or points it anew; there is no moment without it. */
export async function makeLink(path: string, target: string): Promise<void> {
  await inWords('link', path, async () => {
    const temporary = temporaryBeside(path)
    await symlink(target, temporary)
    try {
      await moveIntoPlace(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  })
}

/** Removes what is there. A whole tree only on request, and never one directly below the root. */
export async function removePath(path: string, recursive: boolean): Promise<void> {
  await inWords('remove', path, async () => {
    const full = resolve(path)
    try {
      const found = await lstat(full)
      if (!found.isDirectory()) await unlink(full)
      else if (recursive) await removeTree(full)
      else await rmdir(full)
    } catch (error) {
      if (isAbsent(error)) return
      throw error
    }
    await syncDirectory(dirname(full))
  })
}

async function removeTree(path: string): Promise<void> {
  if (path.split('/').filter((part) => part !== '').length < 2)
    throw refusal('remove', path, 'it is a directory of the system itself')
  await rm(path, { recursive: true, force: true })
}
