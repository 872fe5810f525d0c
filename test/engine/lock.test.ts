import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/engine/clock.ts'
import { createFileLock, type FileLock, type Holder } from '../../src/engine/lock.ts'
import { scratch } from '../support/engine_run.ts'

let folder: ReturnType<typeof scratch>
const held: FileLock[] = []
beforeEach(() => {
  folder = scratch()
})
afterEach(async () => {
  for (const lock of held.splice(0)) await lock.release()
  folder.remove()
})

const go = new AbortController().signal

function lockFor(
  runId: string,
  timeoutMs = 10_000,
  onWait: (holder: Holder | undefined) => void = () => {},
): FileLock {
  const lock = createFileLock({
    file: join(folder.path, 'run/converge.lock'),
    holder: { pid: 1, runId, by: 'ana@laptop' },
    timeoutMs,
    clock: systemClock,
    now: () => new Date(0),
    onWait,
  })
  held.push(lock)
  return lock
}

test('who comes second waits, is told for whom, and gets it when it is free', async () => {
  const first = lockFor('run-1')
  await first.take(go)
  const seen: (string | undefined)[] = []
  const second = lockFor('run-2', 20_000, (holder) => {
    seen.push(holder?.runId)
    void first.release()
  })
  await second.take(go)
  expect(seen[0]).toBe('run-1')
  expect([first.fd(), typeof second.fd()]).toEqual([undefined, 'number'])
})

test('who waits too long is told who has it', async () => {
  await lockFor('run-1').take(go)
  await expect(lockFor('run-2', 50).take(go)).rejects.toThrow(
    'run run-1 of ana@laptop (pid 1, since 1970-01-01T00:00:00.000Z) holds the lock; waited 0.05 s',
  )
})

test('an interrupt ends the wait', async () => {
  await lockFor('run-1').take(go)
  const stop = new AbortController()
  const waiting = lockFor('run-2', 60_000, () => stop.abort(new Error('interrupted'))).take(
    stop.signal,
  )
  await expect(waiting).rejects.toThrow('interrupted')
})

test('whether another run held it meanwhile is told when it is taken again', async () => {
  const first = lockFor('run-1')
  await first.take(go)
  await first.release()
  expect(await first.take(go)).toEqual({ otherHeldIt: false })
  await first.release()
  const other = lockFor('run-2')
  await other.take(go)
  await other.release()
  expect(await first.take(go)).toEqual({ otherHeldIt: true })
})

test('a child that was given the descriptor does not keep the lock once it is released', async () => {
  const first = lockFor('run-1')
  await first.take(go)
  const daemon = spawn('sleep', ['30'], {
    stdio: ['ignore', 'ignore', 'ignore', first.fd() ?? 'ignore'],
  })
  await once(daemon, 'spawn')
  await first.release()
  await expect(lockFor('run-2', 1_000).take(go)).resolves.toBeDefined()
  daemon.kill('SIGKILL')
})

test("a file that says nonsense, or an old holder, keeps nobody out: only the kernel's lock does", async () => {
  await lockFor('run-1').take(go)
  await held[0]?.release()
  writeFileSync(join(folder.path, 'run/converge.lock'), 'nonsense')
  await expect(lockFor('run-2', 1_000).take(go)).resolves.toEqual({ otherHeldIt: true })
})

test('taken again between plays, it is waited for without a bound', async () => {
  const other = lockFor('run-1')
  await other.take(go)
  let told = 0
  const again = lockFor('run-2', 50, () => {
    told += 1
    if (told === 3) void other.release()
  })
  await expect(again.take(go, { again: true })).resolves.toBeDefined()
  expect(told).toBe(3)
})
