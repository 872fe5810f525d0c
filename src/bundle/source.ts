import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { messageOf, TwonodeError } from '../core/errors.ts'
import type { Source } from './archive.ts'
import type { Member } from './manifest.ts'

const CHUNK_BYTES = 1024 * 1024

/** A member of a bundle that is a file of this machine. @throws {TwonodeError} E_FILE */
export async function fileSource(name: string, path: string): Promise<Source> {
  return await sourceOf({ name, executable: false }, path, () => readerOf(path))
}

/** A program that a file of this machine holds, gzipped. @throws {TwonodeError} E_FILE */
export async function gzippedProgram(name: string, path: string): Promise<Source> {
  // What ends one ends the other; whoever reads is told by what they read from.
  const open = () => pipeline(readerOf(path), createGunzip(), () => undefined)
  return await sourceOf({ name, executable: true }, path, open)
}

function readerOf(path: string): Readable {
  return createReadStream(path, { highWaterMark: CHUNK_BYTES })
}

async function sourceOf(
  about: Pick<Member, 'name' | 'executable'>,
  path: string,
  open: Source['open'],
): Promise<Source> {
  try {
    return { member: await memberOf(about, open()), open }
  } catch (cause) {
    throw new TwonodeError('E_FILE', `${path} can not be read: ${messageOf(cause)}`, { cause })
  }
}

/** A member that is made for the bundle. */
export async function textSource(name: string, text: string): Promise<Source> {
  const bytes = Buffer.from(text, 'utf8')
  const open = () => Readable.from([bytes])
  return { member: await memberOf({ name, executable: false }, open()), open }
}

async function memberOf(
  { name, executable }: Pick<Member, 'name' | 'executable'>,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Member> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of bytes) {
    hash.update(chunk)
    size += chunk.length
  }
  return { name, sha256: hash.digest('hex'), size, executable }
}
