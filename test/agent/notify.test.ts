import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNotifier, type Notifier } from '../../src/agent/notify.ts'

/** systemd's side: prints each datagram, with a bar behind it. */
const RECEIVER = [
  'use Socket; $| = 1;',
  'socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;',
  'print "bound|"; while (defined recv($s, my $m, 8192, 0)) { print "$m|" }',
].join(' ')

let folder: string
let receiver: ChildProcess
let heard: string
let notifier: Notifier | undefined

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-notify-')
  heard = ''
  receiver = spawn('/usr/bin/perl', ['-e', RECEIVER, join(folder, 'notify')])
  // Its first word says that the socket is there.
  await new Promise((resolve) => receiver.stdout?.once('data', resolve))
  receiver.stdout?.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
})
afterEach(async () => {
  notifier?.stop()
  receiver.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const opened = (watchdogUsec?: string): Notifier => {
  notifier = createNotifier({ socket: join(folder, 'notify'), watchdogUsec })
  return notifier
}

const children = async () =>
  (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).trim().split(' ')

test('systemd is told: ready, a line of status, and the end', async () => {
  const to = opened()
  to.ready()
  to.status('leader of h2,\nterm 5')
  // Nothing new: it is not sent again.
  to.status('leader of h2,\nterm 5')
  to.stop()
  const words = 'READY=1\n|STATUS=leader of h2, term 5\n|STOPPING=1\n|'
  await expect.poll(() => heard, { timeout: 10_000 }).toBe(words)
})

test('a sign of life goes out at a third of the watchdog’s time, by one child', async () => {
  const to = opened('900000')
  to.ready()
  const startedAt = performance.now()
  const before = await children()
  while (performance.now() - startedAt < 1_500) {
    to.alive()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await children()).toEqual(before)
  await expect.poll(() => heard, { timeout: 10_000 }).toMatch(/(WATCHDOG=1\n\|){4}/)
  expect(heard.split('WATCHDOG').length).toBeLessThanOrEqual(7)
})

test('without a watchdog there is no sign of life', async () => {
  const to = opened()
  to.alive()
  to.ready()
  await expect.poll(() => heard, { timeout: 10_000 }).toBe('READY=1\n|')
})

test('a sender that is killed is replaced, and says again that the agent is ready', async () => {
  const to = opened('300000')
  const before = await children()
  to.ready()
  await expect.poll(() => heard, { timeout: 10_000 }).toBe('READY=1\n|')
  const sender = (await children()).find((pid) => !before.includes(pid))
  process.kill(Number(sender), 'SIGKILL')
  await expect
    .poll(
      () => {
        to.alive()
        return heard
      },
      { timeout: 10_000 },
    )
    .toMatch(/READY=1\n\|READY=1\n\|WATCHDOG=1\n\|/)
})

test('an agent that systemd did not start sends nothing', () => {
  const to = createNotifier({ socket: undefined, watchdogUsec: undefined })
  to.ready()
  to.alive()
  to.stop()
  expect(heard).toBe('')
})
