import { PassThrough } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { Link } from '../../src/runner/link.ts'

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'performance'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

function connected() {
  const [input, output, ending] = [new PassThrough(), new PassThrough(), new AbortController()]
  const link = new Link({ input, output, ending: ending.signal })
  const said = () =>
    String(output.read() ?? '')
      .split('\n')
      .filter((line) => line !== '')
  return { input, link, ending, said }
}

test('a laptop that vanished without a word ends the run within 25 s', async () => {
  const { link } = connected()
  vi.advanceTimersByTime(19_000)
  expect(link.control.stop.aborted).toBe(false)
  vi.advanceTimersByTime(6_000)
  expect(link.control.stop.reason).toMatchObject({ code: 'E_CONNECTION_LOST' })
  await link.close()
})

test('one that says no more than heartbeats keeps it, and hears heartbeats itself', async () => {
  const { link, input, said } = connected()
  for (let beat = 0; beat < 10; beat += 1) {
    vi.advanceTimersByTime(5_000)
    input.write('{"type":"heartbeat"}\n')
    await nextTurn()
  }
  expect(link.control.stop.aborted).toBe(false)
  expect(said().filter((line) => line === '{"type":"heartbeat"}')).toHaveLength(10)
  await link.close()
})

test('told to end, it ends with the reason given', async () => {
  const { link, ending } = connected()
  ending.abort(new TwonodeError('E_INTERRUPTED', 'ended by SIGTERM'))
  expect(link.control.stop.reason).toMatchObject({ message: 'ended by SIGTERM' })
  expect(await link.opening).toBeUndefined()
  await link.close()
})

test('secrets that are words of the protocol are masked in texts, and break no message', async () => {
  const { link, said } = connected()
  link.redaction.add(
    ...['observed', 'changed', 'leader', 'play-done', 'say "hi"'].map(
      (v) => new Secret(v, 'env:X'),
    ),
  )
  const told = { host: 'leader', play: 'p', task: 'be leader', module: 'file', durationMs: 1 }
  const result = { status: 'leader', observed: ['changed', { host: 'say "hi"' }] }
  link.send({ type: 'observed', pending: [1], events: [] })
  link.send({ type: 'play-done', play: 1, changed: true })
  link.send({ event: 'step', status: 'changed', ...told, result })
  expect(said().map((line) => JSON.parse(line) as unknown)).toEqual([
    { type: 'observed', pending: [1], events: [] },
    { type: 'play-done', play: 1, changed: true },
    {
      event: 'step',
      status: 'changed',
      ...told,
      task: 'be ********',
      result: { status: '********', '********': ['********', { host: '********' }] },
    },
  ])
  await link.close()
})

test('a disk that is slow to take an artifact is no silence of the controller', async () => {
  const { link, input } = connected()
  const taken = link.blobs.get('ab')
  input.write('{"type":"blob","sha256":"ab","bytes":9000000}\n')
  input.write(Buffer.alloc(1_000_000))
  await nextTurn()
  vi.advanceTimersByTime(60_000)
  expect(link.control.stop.aborted).toBe(false)
  ;(await taken).destroy()
  await nextTurn()
  vi.advanceTimersByTime(60_000)
  expect(link.control.stop.aborted).toBe(true)
  await link.close()
})

test('a laptop that vanishes in the middle of an artifact does not keep the host waiting for the rest', async () => {
  const { link, input } = connected()
  const taken = link.blobs.get('ab')
  input.write('{"type":"blob","sha256":"ab","bytes":9000000}\n')
  input.write(Buffer.alloc(1_000))
  const bytes = await taken
  const copied = (async () => {
    for await (const _ of bytes);
  })().catch((error: unknown) => error)
  await nextTurn()
  vi.advanceTimersByTime(25_000)
  expect(await copied).toMatchObject({ code: 'E_CONNECTION_LOST' })
  await expect(link.blobs.get('cd')).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' })
  await link.close()
})

test('a host that was paused does not call the controller silent', async () => {
  const { link } = connected()
  vi.advanceTimersByTime(5_000)
  const now = performance.now.bind(performance)
  const paused = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000)
  vi.advanceTimersByTime(15_000)
  expect(link.control.stop.aborted).toBe(false)
  vi.advanceTimersByTime(15_000)
  expect(link.control.stop.aborted).toBe(true)
  paused.mockRestore()
  await link.close()
})
