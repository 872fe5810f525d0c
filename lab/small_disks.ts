import { statfs } from 'node:fs/promises'
import { must } from './command.ts'
import { LabError } from './lab_error.ts'

/** Room for a converge and some minutes of a scenario. @unit MiB */
const SMALL_DISK_MIB = 2_048

/**
 * A file system of its own under a host's layer: what fills it is no byte of the machine's own disk.
 * In memory, for it can be made and filled in an instant; an fsync on it costs nothing.
 */
export async function mountSmallDisk(directory: string): Promise<void> {
  const options = `size=${SMALL_DISK_MIB}m,mode=0755`
  await must(['mount', '-t', 'tmpfs', '-o', options, 'twonode-lab-disk', directory])
}

/** Takes all free room away: the next block that is written is refused with ENOSPC. */
export async function fillSmallDisk(directory: string): Promise<void> {
  // What is written between the look and the remount makes the size too small, which is refused.
  for (let attempt = 1; ; attempt += 1) {
    const { blocks, bfree, bsize } = await statfs(directory)
    try {
      return await resize(directory, `${(blocks - bfree) * bsize}`)
    } catch (error) {
      if (!(error instanceof LabError) || attempt === 5) throw error
    }
  }
}

export async function emptySmallDisk(directory: string): Promise<void> {
  await resize(directory, `${SMALL_DISK_MIB}m`)
}

async function resize(directory: string, size: string): Promise<void> {
  await must(['mount', '-o', `remount,size=${size}`, directory])
}
