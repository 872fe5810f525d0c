import { PassThrough } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
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
