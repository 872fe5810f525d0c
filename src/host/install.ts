import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TwonodeError, messageOf } from '../core/errors.ts'
import type { InstallRequest } from '../core/host.ts'
import { unpackMember } from './archive.ts'
import { download } from './download.ts'
import { filesystemError, inWords, isFilesystemError } from './filesystem_error.ts'
import {
  moveIntoPlace,
  refuseToReplace,
  settle,
  temporaryBeside,
  TEMPORARY_PREFIX,
  type Ownership,
} from './staged_file.ts'

/** The bytes of an artifact that somebody else holds, by its sha256. */
export type BlobPort = (sha256: string) => Promise<Readable>

/**
 * Brings an artifact into place: to a part file beside the target, verified, then renamed. A program
 * that runs from the target goes on with its old file. A broken download keeps its part for the next
 * try; a wrong one does not.
 */
export async function installArtifact(
  request: InstallRequest,
  owned: Ownership,
  blob: BlobPort,
): Promise<void> {
  const { path, sha256, member, timeoutMs } = request
  await inWords('install', path, async () => await refuseToReplace(path))
  const part = join(dirname(path), `${TEMPORARY_PREFIX}${sha256.slice(0, 16)}.part`)
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    await fetchPart(request, part, blob, signal)
    await verify(request, part)
    if (member === undefined) await publish(part, path, owned)
    else await publishMember(part, { path, member, signal }, owned)
    await rm(part, { force: true })
  } catch (error) {
    if (!isResumable(request, error)) await rm(part, { force: true })
    throw explain(request, error, signal)
  }
}

/** Only a download is worth going on with: the other sources are near. */
function isResumable({ source }: InstallRequest, error: unknown): boolean {
  return source.kind === 'url' && !(error instanceof WrongContent) && !isFilesystemError(error)
}

async function fetchPart(
  { source, sha256 }: InstallRequest,
  part: string,
  blob: BlobPort,
  signal: AbortSignal,
): Promise<void> {
  switch (source.kind) {
    case 'url':
      return await download(source.url, part, signal)
    case 'blob':
      return await save(async () => await blob(sha256), part, signal)
    case 'path':
      return await save(() => createReadStream(source.path), part, signal)
    default:
      throw new Error(`unhandled source: ${JSON.stringify(source satisfies never)}`)
  }
}

async function save(
  source: () => Readable | Promise<Readable>,
  part: string,
  signal: AbortSignal,
): Promise<void> {
  // Open before the source is: one that fails at once would be over before the file is made, which was
  // then removed first and made afterwards.
  const file = await open(part, 'w', 0o600)
  try {
    await pipeline(await source(), file.createWriteStream(), { signal })
  } finally {
    await file.close()
  }
}

/** The content is not what the checksum promised. */
class WrongContent extends Error {
  override readonly name = 'WrongContent'
}

async function verify({ sha256 }: InstallRequest, part: string): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(part, { highWaterMark: 1024 * 1024 }), hash)
  const found = hash.digest('hex')
  if (found !== sha256.toLowerCase())
    throw new WrongContent(`its sha256 is ${found}, not ${sha256.toLowerCase()}`)
}

async function publish(part: string, path: string, owned: Ownership): Promise<void> {
  const file = await open(part, 'r+')
  try {
    await settle(file, owned)
  } finally {
    await file.close()
  }
  await moveIntoPlace(part, path)
}

async function publishMember(
  part: string,
  { path, member, signal }: { path: string; member: string; signal: AbortSignal },
  owned: Ownership,
): Promise<void> {
  const directory = temporaryBeside(path)
  await mkdir(directory, { mode: 0o700 })
  try {
    const unpacked = await unpackMember(part, member, { directory, signal })
    if (unpacked === undefined) throw new WrongContent(`the archive has no file ${member}`)
    await publish(unpacked, path, owned)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function explain(request: InstallRequest, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof TwonodeError) return error
  const what = `${basename(request.path)} from ${sourceName(request)}`
  if (signal.aborted)
    return new TwonodeError(
      'E_DOWNLOAD',
      `${what} did not arrive within ${request.timeoutMs / 1000} s`,
    )
  const reason = messageOf(error)
  const { source } = request
  const isSource =
    source.kind === 'path' &&
    error instanceof Error &&
    'path' in error &&
    error.path === source.path
  if (!isFilesystemError(error) || isSource)
    return new TwonodeError('E_DOWNLOAD', `${what}: ${reason}`, { cause: error })
  return filesystemError('install', request.path, error)
}

function sourceName({ source }: InstallRequest): string {
  return source.kind === 'url' ? source.url : source.kind === 'path' ? source.path : source.name
}
