import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { createTarDecoder } from 'modern-tar'

/** How gzip files begin. @source https://www.rfc-editor.org/rfc/rfc1952 */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

export interface Extraction {
  readonly to: Writable
  readonly signal: AbortSignal
}

/** Writes one file of a tar or tar.gz archive; false if there is none of that name. */
export async function extractMember(
  archive: string,
  member: string,
  { to, signal }: Extraction,
): Promise<boolean> {
  const bytes = createReadStream(archive, { highWaterMark: 256 * 1024 })
  const tar = (await isGzip(archive)) ? bytes.pipe(createGunzip()) : bytes
  bytes.on('error', (error) => tar.destroy(error))
  const entries = Readable.toWeb(tar).pipeThrough(createTarDecoder({ strict: true }))
  try {
    for await (const { header, body } of entries) {
      if (header.type !== 'file' || bare(header.name) !== bare(member)) {
        await body.cancel()
        continue
      }
      await pipeline(Readable.fromWeb(body), to, { signal })
      return true
    }
    return false
  } finally {
    to.destroy()
    bytes.destroy()
  }
}

/** Archives made in a directory name their members `./bin/x`. */
function bare(name: string): string {
  return name.replace(/^(\.?\/)+/, '')
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
