import type { IncomingMessage } from 'node:http'
import { BadMessage, MESSAGE_BYTES } from './peer_messages.ts'

/** Query values are text: the format alone is a number. */
export function queryOf(text = ''): Record<string, unknown> {
  const query = new URLSearchParams(text)
  const fields: Record<string, unknown> = Object.fromEntries(query)
  return { ...fields, format: Number(query.get('format') ?? Number.NaN) }
}

/** The body, or a refusal at the first byte too many. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > MESSAGE_BYTES) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  // Not an iterator: leaving one closes the connection before it was told why.
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MESSAGE_BYTES) return void chunks.push(chunk)
      request.pause()
      reject(tooLarge())
    })
    request.once('end', resolve)
    request.once('error', reject)
    request.once('close', () => reject(new BadMessage('message', 'the body is not whole')))
  })
  return Buffer.concat(chunks).toString('utf8')
}

function tooLarge(): BadMessage {
  return new BadMessage('size', `a message has ${MESSAGE_BYTES / 1024} kB at most`)
}
