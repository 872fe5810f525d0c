import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import pRetry, { AbortError } from 'p-retry'
import { isAbsent, isFilesystemError } from './filesystem_error.ts'

/** @unit tries after the first, each going on where the last one broke */
const RETRIES = 4

/** Pause before the second try; doubled each time. @unit milliseconds */
const PAUSE_MS = 500

/** A server that sends nothing for this long is given up. @unit milliseconds */
const SILENCE_MS = 20_000

const MOST_REDIRECTS = 5

/** Larger than any program that we install: a wrong URL must not fill the disk. @unit bytes */
const LARGEST_BYTES = 4 * 1024 ** 3

/**
 * Fetches a URL into a file, going on with what the file already holds if the server can. Whether the
 * bytes are right is the caller's to check, by their checksum.
 */
export async function download(url: string, part: string, signal: AbortSignal): Promise<void> {
  await pRetry(async () => await attempt(url, part, signal), {
    retries: RETRIES,
    minTimeout: PAUSE_MS,
    signal,
    shouldRetry: ({ error }) => !isFilesystemError(error),
  })
}

async function attempt(url: string, part: string, signal: AbortSignal): Promise<void> {
  const have = await sizeOf(part)
  const response = await get(url, have, signal)
  const { statusCode = 0 } = response
  if (statusCode === 416) {
    // The part is as long as the file, or longer: whole, or another file's. The checksum tells.
    response.destroy()
    if (/^bytes \*\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1] === String(have))
      return
    await rm(part, { force: true })
    throw new Error('the part that was there does not belong to it')
  }
  if (statusCode !== 200 && statusCode !== 206) {
    response.destroy()
    const failure = new Error(`the server answered ${statusCode}`)
    throw statusCode >= 500 || statusCode === 429 ? failure : new AbortError(failure)
  }
  const resumed = statusCode === 206 && have > 0
  await receive(response, part, { from: resumed ? have : 0, signal })
}

async function receive(
  response: IncomingMessage,
  part: string,
  { from, signal }: { from: number; signal: AbortSignal },
): Promise<void> {
  let total = from
  response.on('data', (chunk: Buffer) => {
    total += chunk.length
    if (total > LARGEST_BYTES) response.destroy(new AbortError('it is larger than 4 GiB'))
  })
  const file = createWriteStream(part, { flags: from > 0 ? 'a' : 'w', mode: 0o600 })
  await pipeline(response, file, { signal })
}

async function sizeOf(part: string): Promise<number> {
  try {
    return (await stat(part)).size
  } catch (error) {
    if (isAbsent(error)) return 0
    throw error
  }
}

async function get(url: string, from: number, signal: AbortSignal): Promise<IncomingMessage> {
  let at = url
  for (let turn = 0; turn <= MOST_REDIRECTS; turn += 1) {
    const response = await request(at, from, signal)
    const { statusCode = 0, headers } = response
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) return response
    response.destroy()
    at = new URL(headers.location, at).href
  }
  throw new AbortError(`more than ${MOST_REDIRECTS} redirects`)
}

async function request(url: string, from: number, signal: AbortSignal): Promise<IncomingMessage> {
  const { protocol } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new AbortError(`${protocol} is neither http: nor https:`)
  const headers = {
    'user-agent': 'twonode',
    ...(from === 0 ? {} : { range: `bytes=${from}-` }),
  }
  // Loaded when it is needed: Node's http costs each start of a runner 40 ms.
  const web = await (protocol === 'https:' ? import('node:https') : import('node:http'))
  return await new Promise((resolve, reject) => {
    const call = web.get(url, { headers, signal }, resolve)
    call.setTimeout(SILENCE_MS, () => {
      call.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`))
    })
    call.once('error', reject)
  })
}
