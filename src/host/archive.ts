import { createReadStream } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { unpackTar } from 'modern-tar/fs'
import { isAbsent } from './filesystem_error.ts'

/** How gzip files begin. @source https://www.rfc-editor.org/rfc/rfc1952 */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

/** The member's name in the directory that it is unpacked to. */
const UNPACKED = 'member'

/**
 * Unpacks one file of a tar or tar.gz archive into an empty directory, under a name of ours: names and
 * links in the archive lead nowhere. Undefined if there is no such file in it.
 */
export async function unpackMember(
  archive: string,
  member: string,
  { directory, signal }: { readonly directory: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const unpack = unpackTar(directory, {
    strict: true,
    filter: ({ type, name }) => type === 'file' && bare(name) === bare(member),
    map: (header) => ({ ...header, name: UNPACKED }),
    fmode: 0o600,
  })
  const bytes = createReadStream(archive)
  if (await isGzip(archive)) await pipeline(bytes, createGunzip(), unpack, { signal })
  else await pipeline(bytes, unpack, { signal })
  const path = join(directory, UNPACKED)
  return (await exists(path)) ? path : undefined
}

/** Archives made in a directory name their members `./bin/x`. */
function bare(name: string): string {
  return name.replace(/^(\.?\/)+/, '')
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return buffer.equals(GZIP_MAGIC)
  } finally {
    await file.close()
  }
}
