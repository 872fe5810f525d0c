import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { packTar } from 'modern-tar'
import {
  type Manifest,
  MANIFEST_NAME,
  manifestText,
  type Member,
  parseManifest,
  unusable,
} from './manifest.ts'

/** What a member's bytes are taken from. */
export interface Source {
  readonly member: Member
  /** Its bytes, from their beginning. */
  readonly open: () => AsyncIterable<Uint8Array>
}

/** Where the bytes of a member begin in the archive. */
export interface Placed extends Member {
  /** @unit bytes */
  readonly offset: number
}

const BLOCK = 512
const CHUNK_BYTES = 1024 * 1024

/** A manifest of ten thousand members has two megabytes. @unit bytes */
const MANIFEST_MOST = 8 * 1024 * 1024

/**
 * The archive as an uncompressed tar, which has one form and no other: the manifest, its members sorted by
 * name, no times, no owners. Two of the same inputs are the same bytes.
 * @throws {TwonodeError} E_SITE_BUNDLE when a file is not what its member says
 */
export async function* archiveOf(
  about: Omit<Manifest, 'format' | 'members'>,
  sources: readonly Source[],
): AsyncGenerator<Uint8Array> {
  const sorted = sources.toSorted((a, b) => (a.member.name < b.member.name ? -1 : 1))
  const text = Buffer.from(
    manifestText({ ...about, members: sorted.map(({ member }) => member) }),
    'utf8',
  )
  parseManifest(text.toString('utf8'))
  yield await headerOf({ name: MANIFEST_NAME, size: text.length, executable: false })
  yield padded(text)
  for (const { member, open: bytesOf } of sorted) {
    yield await headerOf(member)
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of bytesOf()) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
    if (size !== member.size || hash.digest('hex') !== member.sha256)
      throw unusable(`'${member.name}' changed while it was packed`, 'Make the bundle again.')
    yield Buffer.alloc(paddingOf(size))
  }
  yield END
}

/** Two empty blocks. @source https://www.gnu.org/software/tar/manual/html_node/Standard.html */
const END = Buffer.alloc(2 * BLOCK)

/**
 * Reads all of an archive, and holds it to the one form that its manifest can have: each header, each byte
 * of each member, the padding, and the end. A link, a further member, a path that leads out, a flipped bit
 * or a missing tail are all the same: not what the manifest says.
 * @throws {TwonodeError} E_SITE_BUNDLE; nothing was written
 */
export async function checkArchive(path: string): Promise<{
  readonly manifest: Manifest
  readonly members: readonly Placed[]
}> {
  const file = await open(path)
  try {
    const manifest = await manifestIn(file)
    const text = Buffer.from(manifestText(manifest), 'utf8')
    let at = BLOCK + text.length + paddingOf(text.length)
    const members: Placed[] = []
    for (const member of manifest.members) {
      await expect(file, at, await headerOf(member), `the header of '${member.name}'`)
      const offset = at + BLOCK
      await checkMember(file, { ...member, offset })
      members.push({ ...member, offset })
      at = offset + member.size + paddingOf(member.size)
    }
    await expect(file, at, END, 'its end')
    const { size } = await file.stat()
    if (size !== at + END.length) throw unusable('there is more in it than its manifest lists')
    return { manifest, members }
  } finally {
    await file.close()
  }
}

async function manifestIn(file: FileHandle): Promise<Manifest> {
  const header = await bytesAt(file, 0, BLOCK)
  // Octal digits, and a space or a zero byte behind them: where they say nothing the header is not ours.
  const size = Number.parseInt(header.toString('latin1', 124, 136), 8)
  if (!(size > 0 && size <= MANIFEST_MOST)) throw unusable('it does not begin with a manifest')
  const expected = await headerOf({ name: MANIFEST_NAME, size, executable: false })
  if (!header.equals(expected)) throw unusable('it does not begin with a manifest')
  const text = await bytesAt(file, BLOCK, size)
  const manifest = parseManifest(text.toString('utf8'))
  await expect(file, BLOCK + size, Buffer.alloc(paddingOf(size)), 'what is behind its manifest')
  return manifest
}

async function checkMember(
  file: FileHandle,
  { name, size, sha256, offset }: Placed,
): Promise<void> {
  const hash = createHash('sha256')
  for (let done = 0; done < size; done += CHUNK_BYTES)
    hash.update(await bytesAt(file, offset + done, Math.min(CHUNK_BYTES, size - done)))
  if (hash.digest('hex') !== sha256) throw unusable(`'${name}' in it is not what its manifest says`)
  await expect(file, offset + size, Buffer.alloc(paddingOf(size)), `what is behind '${name}'`)
}

async function expect(file: FileHandle, at: number, wanted: Buffer, what: string): Promise<void> {
  const found = await bytesAt(file, at, wanted.length)
  if (!found.equals(wanted)) throw unusable(`${what} is not what its manifest says`)
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done)
    if (bytesRead === 0) throw unusable('it is cut off')
    done += bytesRead
  }
  return buffer
}

/** A tar header is the file's, and nothing of the machine on which it was made. */
async function headerOf({
  name,
  size,
  executable,
}: Pick<Member, 'name' | 'size' | 'executable'>): Promise<Buffer> {
  const mode = executable ? 0o755 : 0o644
  const header = { name, size: 0, mode, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' }
  // The packer wants the bytes that it announces: the size and its checksum are put in afterwards.
  const packed = Buffer.from(await packTar([{ header: { ...header, type: 'file' } }]))
  return sized(packed.subarray(0, BLOCK), size)
}

const SIZE_AT = 124
const SUM_AT = 148
const SUM_LENGTH = 8

/** @source https://www.gnu.org/software/tar/manual/html_node/Standard.html */
function sized(header: Buffer, size: number): Buffer {
  const copy = Buffer.from(header)
  copy.write(`${size.toString(8).padStart(11, '0')}\0`, SIZE_AT, 'latin1')
  copy.fill(' ', SUM_AT, SUM_AT + SUM_LENGTH)
  const sum = copy.reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, SUM_AT, 'latin1')
  return copy
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(paddingOf(bytes.length))])
}
