import { expect, test } from 'vitest'
import { createClock, readBootId } from '../../src/agent/clock.ts'

const clock = createClock()

test('the clock goes on by itself, and is the same for everyone on the machine', async () => {
  const before = clock.now()
  await clock.sleep(60, new AbortController().signal)
  const passed = clock.now() - before
  expect(passed).toBeGreaterThanOrEqual(50)
  expect(Math.abs(createClock().now() - clock.now())).toBeLessThan(1_000)
})

test('a sleep ends when it is told to', async () => {
  const stop = new AbortController()
  const sleeping = clock.sleep(60_000, stop.signal)
  stop.abort()
  await sleeping
  const before = clock.now()
  await clock.sleep(60_000, stop.signal)
  expect(clock.now() - before).toBeLessThan(10_000)
})

test('a boot has a name, and wall time is told in the form of ISO 8601', () => {
  expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/)
  const told = clock.wallTime()
  expect(new Date(told).toISOString()).toBe(told)
})
