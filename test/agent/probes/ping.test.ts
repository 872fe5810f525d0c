import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClock } from '../../../src/agent/clock.ts'
import { parseAnswer, Ping } from '../../../src/agent/probes/ping.ts'
import { collectFaults } from '../support/faults.ts'

const clock = createClock()
const pings: Ping[] = []
let folder: string

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-ping-')
})
afterEach(async () => {
  for (const ping of pings.splice(0)) ping.stop()
  await rm(folder, { recursive: true, force: true })
})

function started(address: string, program?: string) {
  const { faults, told } = collectFaults()
  const more = program === undefined ? {} : { program }
  const ping = new Ping({ address, intervalMs: 250, timeoutMs: 2_000, clock, faults, ...more })
  pings.push(ping)
  return { ping, told }
}

/** A ping of our own making, in perl: what it prints is up to the test. */
async function fakePing(lines: string): Promise<string> {
  const path = join(folder, 'ping')
  const log = join(folder, 'started')
  const program = `open(my $l, '>>', '${log}'); print $l "x"; close $l; $| = 1; ${lines}`
  await writeFile(path, `#!/usr/bin/perl\n${program}\n`)
  await chmod(path, 0o755)
  return path
}

const starts = async () => (await readFile(join(folder, 'started'), 'utf8').catch(() => '')).length

test('an answer is heard with the times at which it was asked for and came; once', async () => {
  const { ping } = started('127.0.0.1')
  const before = clock.now()
  let heard = ping.take()
  await expect.poll(() => (heard ??= ping.take()), { timeout: 10_000 }).not.toBeNull()
  expect(heard?.arrivedAt).toBeGreaterThanOrEqual(before - 100)
  expect(heard?.sentAt).toBeLessThanOrEqual(heard?.arrivedAt ?? 0)
  ping.take()
  expect(ping.take()).toBeNull()
})

test('IPv6 is pinged too', async () => {
  const { ping } = started('::1')
  await expect.poll(() => ping.take(), { timeout: 10_000 }).not.toBeNull()
})

test('a ping that ends is started again, and not in a hurry', async () => {
  const { ping } = started('127.0.0.1', await fakePing('exit 2;'))
  await expect.poll(starts, { timeout: 10_000 }).toBe(3)
  ping.stop()
  expect(ping.take()).toBeNull()
})

/** A line as ping prints it, stamped so many seconds from now. */
const line = (seconds: number, took: string) =>
  `printf("[%.6f] 64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=${took} ms\\n", time() + ${seconds});`

test('an answer that took too long is none', async () => {
  const lines = [line(0, '3000'), line(0, '7')]
  const program = await fakePing(`use Time::HiRes 'time'; ${lines.join(' ')} sleep 60;`)
  const { ping } = started('127.0.0.1', program)
  let heard = ping.take()
  await expect.poll(() => (heard ??= ping.take()), { timeout: 10_000 }).not.toBeNull()
  expect((heard?.arrivedAt ?? 0) - (heard?.sentAt ?? 0)).toBeCloseTo(7)
  expect(ping.take()).toBeNull()
})

test('answers that lay in a pipe while we were away tell of the past, and are none', async () => {
  const lines = [line(0, '1'), line(-30, '2'), line(-29.5, '3')]
  const program = await fakePing(`use Time::HiRes 'time'; ${lines.join(' ')} sleep 60;`)
  const { ping } = started('127.0.0.1', program)
  let heard = ping.take()
  await expect.poll(() => (heard ??= ping.take()), { timeout: 10_000 }).not.toBeNull()
  expect((heard?.arrivedAt ?? 0) - (heard?.sentAt ?? 0)).toBeCloseTo(1)
  expect(ping.take()).toBeNull()
})

test('a ping that is not installed is told once, and looked for again', async () => {
  const { ping, told } = started('127.0.0.1', join(folder, 'none'))
  await expect.poll(() => told.length, { timeout: 5_000 }).toBe(1)
  expect(told[0]).toMatch(/^ping: .*none can not be started/)
  expect(ping.take()).toBeNull()
})

test('a flood without a line end fills nothing, and what comes after it is heard', async () => {
  const flood = `print 'x' x 1_000_000 for 1 .. 30; print "\\n";`
  const program = await fakePing(`use Time::HiRes 'time'; ${flood} ${line(0, '7')} sleep 60;`)
  const { ping } = started('127.0.0.1', program)
  await expect.poll(() => ping.take(), { timeout: 20_000 }).not.toBeNull()
})

test('only answers of the address itself are answers', () => {
  const at = '[1700000000.500000]'
  const wallMs = 1_700_000_000_600
  const words = `${at} 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.250 ms`
  expect(parseAnswer(words, wallMs)).toEqual({ roundTripMs: 0.25, agoMs: 100 })
  for (const other of [
    'PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.',
    `${at} From 10.0.0.2 icmp_seq=5 Destination Host Unreachable`,
    `${words} (DIFFERENT ADDRESS!)`,
    `${words} (BAD CHECKSUM!)`,
    words.slice(0, 60),
    '',
  ])
    expect(parseAnswer(other, wallMs)).toBeUndefined()
})
