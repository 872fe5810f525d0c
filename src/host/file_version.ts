import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'

/** Another text for each file that was ever renamed into place, and after each edit. */
export async function fileVersion(path: string): Promise<string> {
  return versionOf(await stat(path, { bigint: true }))
}

export function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join()
}
