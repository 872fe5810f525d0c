import { createHash } from 'node:crypto'
import { copyFile, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf, TwonodeError } from '../core/errors.ts'
import { archiveOf, type Source } from './archive.ts'
import type { Manifest } from './manifest.ts'
import { sign, signerOf } from './signature.ts'

export interface BundleRequest {
  readonly about: Omit<Manifest, 'format' | 'members'>
  readonly sources: readonly Source[]
  /** The bundle; its signature and install.sh lie beside it. */
  readonly output: string
  readonly key: string
  /** What unpacks it on a host. */
  readonly installer: string
  readonly onNotice: (text: string) => void
}

export interface MadeBundle {
  readonly sha256: string
  /** @unit bytes */
  readonly size: number
  /** Fingerprint of the key that signed it. */
  readonly signer: string
}

/**
 * Writes a bundle, its signature and install.sh. Each appears whole, the bundle last: a signature without
 * its bundle installs nothing.
 * @throws {TwonodeError} E_KEY, E_FILE, E_SITE_BUNDLE
 */
export async function makeBundle(request: BundleRequest): Promise<MadeBundle> {
  const { output, key, installer, onNotice } = request
  const folder = dirname(output)
  const work = await mkdtemp(join(folder, '.twonode-bundle-')).catch((cause: unknown) => {
    throw unwritable(folder, cause)
  })
  try {
    const archive = join(work, 'archive')
    const made = await writeArchive(request, archive).catch((cause: unknown) => {
      throw cause instanceof TwonodeError ? cause : unwritable(folder, cause)
    })
    const signature = join(work, 'signature')
    await writeFile(signature, await sign(archive, key, onNotice))
    const signer = await signerOf(archive, signature)
    await copyFile(installer, join(work, 'install.sh'))
    await rename(join(work, 'install.sh'), join(folder, 'install.sh'))
    await rename(signature, `${output}.sig`)
    await rename(archive, output)
    return { ...made, signer }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function writeArchive(
  { about, sources }: BundleRequest,
  path: string,
): Promise<Omit<MadeBundle, 'signer'>> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  let size = 0
  try {
    for await (const chunk of archiveOf(about, sources)) {
      hash.update(chunk)
      size += chunk.length
      await file.write(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { sha256: hash.digest('hex'), size }
}

function unwritable(folder: string, cause: unknown): TwonodeError {
  return new TwonodeError('E_FILE', `${folder} can not take the bundle: ${messageOf(cause)}`, {
    hint: 'Name another folder, with room for it: -o FILE.',
    cause,
  })
}
