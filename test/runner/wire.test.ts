import { PassThrough, Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ToRunner } from '../../src/core/protocol.ts'
import { WireReader, WireWriter } from '../../src/runner/wire.ts'

const line = (message: ToRunner) => Buffer.from(`${JSON.stringify(message)}\n`)
const interrupt: ToRunner = { type: 'interrupt' }

/** Cuts bytes at arbitrary places, as a network does. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index] ?? bytes.length))
}

async function readAll(
  chunks: readonly Buffer[],
): Promise<{ messages: ToRunner[]; blobs: Buffer[] }> {
  const messages: ToRunner[] = []
  const blobs: Promise<Buffer>[] = []
  const reader = new WireReader({
    onMessage: (message) => messages.push(message),
    onBlob: (_, bytes) => blobs.push(buffer(bytes)),
  })
  await reader.read(Readable.from(chunks))
  return { messages, blobs: await Promise.all(blobs) }
}

test('lines and raw bytes come apart wherever the network cuts them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat()), async (raw, cuts) => {
      const blob = Buffer.from(raw)
      const all = Buffer.concat([
        line(interrupt),
        line({ type: 'blob', sha256: 'ab', bytes: blob.length }),
        blob,
        line({ type: 'peer-failed', reason: 'ü' }),
      ])
      const { messages, blobs } = await readAll(pieces(all, cuts))
      expect(messages).toEqual([interrupt, { type: 'peer-failed', reason: 'ü' }])
      expect(blobs).toEqual([blob])
    }),
  )
})

test('whoever gives a blob up does not stop the messages behind it', async () => {
  const messages: ToRunner[] = []
  const reader = new WireReader({
    onMessage: (message) => messages.push(message),
    onBlob: (_, bytes) => void bytes.destroy(),
  })
  const bytes = Buffer.alloc(1_000_000)
  await reader.read(
    Readable.from([
      line({ type: 'blob', sha256: 'ab', bytes: bytes.length }),
      bytes,
      line(interrupt),
    ]),
  )
  expect(messages).toEqual([interrupt])
})

test('a blob that is cut in the middle is an error for who reads it, never a short file', async () => {
  const taken: Promise<unknown>[] = []
  const reader = new WireReader({
    onMessage: () => {},
    onBlob: (_, bytes) => void taken.push(buffer(bytes).catch((error: unknown) => error)),
  })
  await reader.read(
    Readable.from([line({ type: 'blob', sha256: 'ab', bytes: 10 }), Buffer.from('half')]),
  )
  expect(await taken[0]).toMatchObject({
    message: 'the connection ended in the middle of an artifact',
  })
})

test.each(['no json', '[]', '{"kind":1}'])('%s is refused as another protocol', async (text) => {
  await expect(readAll([Buffer.from(`${text}\n`)])).rejects.toMatchObject({ code: 'E_BUNDLE' })
})

test('a controller that does not read neither blocks the run nor fills its memory', () => {
  let overflows = 0
  const stuck = new Writable({ write: () => {} })
  const writer = new WireWriter(stuck, () => (overflows += 1))
  for (let count = 0; count < 100; count += 1) writer.line('x'.repeat(1024 * 1024))
  expect(overflows).toBe(1)
  expect(stuck.writableLength).toBeLessThan(40 * 1024 * 1024)
})

test('lines written before the end arrive before it', async () => {
  const through = new PassThrough()
  const writer = new WireWriter(through, () => {})
  writer.line('one')
  const read = buffer(through)
  await writer.end(5_000)
  expect((await read).toString()).toBe('one\n')
})
