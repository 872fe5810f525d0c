import { statfs } from 'node:fs/promises'
import { must } from './command.ts'
import { LabError } from './lab_error.ts'

/** Room for copies of a table of a gigabyte, and their WAL; what is not written takes none. @unit MiB */
const SMALL_DISK_MIB = 8_192

/**
 * A file system of its own under a host's layer: what fills it is no byte of the machine's own disk.
 * In memory, for it can be made and filled in an instant; an fsync on it costs nothing.
 */
export async function mountSmallDisk(directory: string): Promise<void> {
  const options = `size=${SMALL_DISK_MIB}m,mode=0755`
  await must(['mount', '-t', 'tmpfs', '-o', options, 'twonode-lab-disk', directory])
}

/** Left to a fast writer at the second try, and more with each. @unit bytes */
const LEFT_BYTES = 512 * 1024

/** Takes all free room away: the next block that is written is refused with ENOSPC. */
export async function fillSmallDisk(directory: string): Promise<void> {
  // What is written between the look and the remount makes the size too small, which is refused: who
  // writes that fast fills what is left to him.
  for (let attempt = 1; ; attempt += 1) {
    const { blocks, bfree, bsize } = await statfs(directory)
    try {
      const left = (attempt - 1) ** 2 * LEFT_BYTES
      return await resize(directory, `${(blocks - bfree) * bsize + left}`)
    } catch (error) {
      if (!(error instanceof LabError) || attempt === 12) throw error
    }
  }
}

export async function emptySmallDisk(directory: string): Promise<void> {
  await resize(directory, `${SMALL_DISK_MIB}m`)
}

async function resize(directory: string, size: string): Promise<void> {
  await must(['mount', '-o', `remount,size=${size}`, directory])
}
