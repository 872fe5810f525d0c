import { createHash } from 'node:crypto'

import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import pRetry, { AbortError } from 'p-retry'
import { messageOf, TwonodeError } from '../core/errors.ts'

/** A file of a project's release, and the file beside it that holds its sum. */
export interface ReleaseFile {
  /** For people and for the cache: `k3s`. */
  readonly project: string
  readonly version: string
  /** Address of the folder of all releases: the project's own, or a mirror's. */
  readonly base: string
  readonly file: string
  /** As sha256sum prints them, one file a line. */
  readonly sums: string
}

export interface ReleaseOptions {
  /** Folder of the cache; it may be shared by processes. */
  readonly directory: string
  readonly onProgress: (message: string) => void
  /** A server that sends nothing for this long is given up. @unit milliseconds */
  readonly silenceMs?: number
}

const SILENCE_MS = 30_000

/** @unit tries after the first */
const RETRIES = 3

/** Pause before the second try; doubled each time. @unit milliseconds */
const PAUSE_MS = 500

/** A list of a dozen files. @unit bytes */
const SUMS_MOST = 256 * 1024

/** Larger than any program or archive of images: a wrong address must not fill the disk. @unit bytes */
const FILE_MOST = 4 * 1024 ** 3

/** Between two words on how far it has come. @unit milliseconds */
const PROGRESS_MS = 2_000

/**
 * Path of a release's file on this machine: fetched once, held to the sum that the project published, and
 * kept. Several processes at once each do the work, and the last rename wins.
 * @throws TwonodeError E_DOWNLOAD, with nothing left that could be taken for the file
 */
export async function releaseFile(wanted: ReleaseFile, options: ReleaseOptions): Promise<string> {
  const place = createHash('sha256').update(wanted.base).digest('hex').slice(0, 12)
  const folder = join(options.directory, 'releases', wanted.project, place, wanted.version)
  const path = join(folder, wanted.file)
  if (await exists(path)) return path
  await mkdir(folder, { recursive: true })
  const temp = await mkdtemp(join(folder, '.incoming-'))
  try {
    const sha256 = await publishedSum(wanted, { ...options, folder, temp })
    const part = join(temp, wanted.file)
    const url = addressOf(wanted, wanted.file)
    options.onProgress(`fetching ${wanted.project} ${wanted.version}, kept in ${folder}`)
    const found = await fetched(url, part, { ...options, most: FILE_MOST })
    if (found !== sha256)
      throw refusal(`${url} has sha256 ${found}, and the sum published for it is ${sha256}`)
    await rename(part, path)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
  return path
}

/** `+` of a version is a space to some servers. */
function addressOf({ base, version }: ReleaseFile, file: string): string {
  return `${base.replace(/\/+$/, '')}/${encodeURIComponent(version)}/${file}`
}

async function publishedSum(
  wanted: ReleaseFile,
  options: ReleaseOptions & { readonly folder: string; readonly temp: string },
): Promise<string> {
  const path = join(options.folder, wanted.sums)
  const url = addressOf(wanted, wanted.sums)
  if (!(await exists(path))) {
    const part = join(options.temp, wanted.sums)
    await fetched(url, part, { ...options, most: SUMS_MOST })
    await rename(part, path)
  }
  const sum = sumIn(await readFile(path, 'utf8'), wanted.file)
  if (sum !== undefined) return sum
  await rm(path, { force: true })
  throw refusal(`${url} holds no sum of ${wanted.file}`)
}

/** @source https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html */
export function sumIn(text: string, file: string): string | undefined {
  for (const line of text.split('\n')) {
    const [, sum, name] = /^([0-9a-f]{64}) [ *](.+?)\r?$/.exec(line) ?? []
    if (name !== undefined && name.replace(/^.*\//, '') === file) return sum
  }
  return undefined
}

interface Fetching extends ReleaseOptions {
  /** @unit bytes */
  readonly most: number
}

/** Brings a URL's bytes to a file; gives their sha256. */
async function fetched(url: string, path: string, options: Fetching): Promise<string> {
  try {
    return await pRetry(async () => await attempt(url, path, options), {
      retries: RETRIES,
      minTimeout: PAUSE_MS,
    })
  } catch (cause) {
    throw refusal(`${url}: ${messageOf(cause)}`, cause)
  }
}

async function attempt(
  url: string,
  path: string,
  { silenceMs = SILENCE_MS, most, onProgress }: Fetching,
): Promise<string> {
  const silence = new AbortController()
  const giveUp = () => silence.abort(new Error(`nothing came for ${silenceMs / 1000} s`))
  const timer = setTimeout(giveUp, silenceMs)
  const file = await open(path, 'w', 0o600)
  try {
    const response = await fetch(url, { signal: silence.signal })
    if (!response.ok || response.body === null) throw unanswered(response)
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    const hash = createHash('sha256')
    let size = 0
    let toldAt = Date.now()
    for await (const chunk of response.body) {
      timer.refresh()
      size += chunk.length
      if (size > most) throw new AbortError(`it is larger than ${most} bytes`)
      hash.update(chunk)
      await file.write(chunk)
      if (Date.now() - toldAt < PROGRESS_MS) continue
      toldAt = Date.now()
      onProgress(`${megabytes(size)} of ${Number.isNaN(length) ? '?' : megabytes(length)} MB`)
    }
    await file.sync()
    return hash.digest('hex')
  } catch (error) {
    // fetch hides what happened behind "fetch failed".
    const { cause } = error as { readonly cause?: unknown }
    throw error instanceof TypeError && cause instanceof Error ? cause : error
  } finally {
    clearTimeout(timer)
    await file.close()
  }
}

function unanswered({ status }: Response): Error {
  const failure = new Error(`the server answered ${status}`)
  return status >= 500 || status === 429 ? failure : new AbortError(failure)
}

function refusal(message: string, cause?: unknown): TwonodeError {
  return new TwonodeError('E_DOWNLOAD', message, {
    hint: 'Check the version and the mirror in the inventory; or give the file itself as `path`.',
    cause,
  })
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_000_000)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
