import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { TwonodeError } from '../core/errors.ts'
import { BUNDLE_PLACE, FILES_FOLDER } from '../plan/bundle_places.ts'

/** What a laptop would send is on this host's disk where a bundle was brought to it. */
export async function bundledFile(sha256: string): Promise<Readable> {
  const path = `${BUNDLE_PLACE}/${FILES_FOLDER}/${sha256}`
  if ((await stat(path).catch(() => undefined)) !== undefined) return createReadStream(path)
  throw new TwonodeError('E_DOWNLOAD', `this host does not have the file ${sha256.slice(0, 12)}…`, {
    hint: 'A converge from a laptop brings it, or a bundle that holds it.',
  })
}
