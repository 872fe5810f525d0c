import { open } from 'node:fs/promises'

/** Names that were made or changed in it are on the disk when this returns. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
