import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { TwonodeError, messageOf } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { Clock } from './clock.ts'
import type { Lock, Taken } from './ports.ts'

/** Where the lock is, on every host. */
export const LOCK_FILE = '/run/twonode/converge.lock'

/** flock's answer that says "someone else has it" and nothing else. */
const HELD_BY_ANOTHER = 75

/** How long one `flock` waits before we look around again. @unit seconds */
const SLICE_S = 1

/** Who has the lock; written into its file by whoever takes it. */
export interface Holder {
  readonly pid: number
  readonly runId: string
  readonly by: string
  /** ISO 8601. */
  readonly since: string
}

export interface LockSettings {
  readonly file: string
  readonly holder: Omit<Holder, 'since'>
  /** How long to wait for it. @unit milliseconds */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly now: () => Date
  /** Told each second for whom we wait. */
  readonly onWait: (holder: Holder | undefined, elapsedMs: number) => void
}

/** A lock, and its descriptor for the commands that must keep it if this process dies. */
export interface FileLock extends Lock {
  /** Undefined while the lock is not held. */
  fd(): number | undefined
}

/**
 * `flock(2)` on a file that only root can open. The kernel ends it with its last descriptor, and an
 * orphaned child keeps it: no age, no pid is ever judged. The `flock` command takes it on a descriptor
 * that it shares with us, for Node has no call for it.
 */
export function createFileLock(settings: LockSettings): FileLock {
  let fd: number | undefined
  let isHeld = false

  return {
    fd: () => (isHeld ? fd : undefined),

    async take(stop, { again } = { again: false }) {
      fd ??= openLockFile(settings.file)
      const timeoutMs = again ? Number.POSITIVE_INFINITY : settings.timeoutMs
      await waitFor(fd, { ...settings, timeoutMs }, stop)
      isHeld = true
      const last = readHolder(settings.file)
      writeHolder(fd, { ...settings.holder, since: settings.now().toISOString() })
      return { otherHeldIt: !isSame(last, settings.holder) } satisfies Taken
    },

    async release() {
      if (fd === undefined || !isHeld) return
      isHeld = false
      // Unlocked by name and not just closed: a daemon that a command of ours left behind has the
      // descriptor too, and must not keep the lock for ever.
      await flock(['-u'], fd)
      closeSync(fd)
      fd = undefined
    },
  }
}

async function waitFor(fd: number, settings: LockSettings, stop: AbortSignal): Promise<void> {
  const { clock, timeoutMs, onWait, file } = settings
  if (await tryTake(fd, ['-n'])) return
  const begin = clock.now()
  for (;;) {
    const elapsedMs = clock.now() - begin
    const holder = readHolder(file)
    if (elapsedMs >= timeoutMs) throw locked(holder, timeoutMs)
    onWait(holder, elapsedMs)
    const isTaken = await tryTake(fd, [
      '-w',
      String(Math.min(SLICE_S, (timeoutMs - elapsedMs) / 1000)),
    ])
    if (isTaken) return
    stop.throwIfAborted()
  }
}

async function tryTake(fd: number, options: readonly string[]): Promise<boolean> {
  const code = await flock([...options, '-x', '-E', String(HELD_BY_ANOTHER)], fd)
  if (code === 0) return true
  if (code === HELD_BY_ANOTHER) return false
  throw new TwonodeError('E_FAILED', `flock failed with ${code}`)
}

async function flock(options: readonly string[], fd: number): Promise<number> {
  const child = spawn('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new TwonodeError('E_MISSING', 'flock (of util-linux) can not be run', { cause }))
    })
    child.once('close', (code) => resolve(code ?? 255))
  })
}

function openLockFile(file: string): number {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
    return openSync(file, flags, 0o600)
  } catch (cause) {
    const why = messageOf(cause)
    throw new TwonodeError('E_FILESYSTEM', `the lock file can not be opened: ${why}`, { cause })
  }
}

function locked(holder: Holder | undefined, timeoutMs: number): TwonodeError {
  const who = holder === undefined ? 'another converge' : describeHolder(holder)
  return new TwonodeError('E_LOCKED', `${who} holds the lock; waited ${timeoutMs / 1000} s`)
}

/** For people: `run r-7 of ana@laptop (pid 4711, since 12:30:01Z)`. */
export function describeHolder({ pid, runId, by, since }: Holder): string {
  return `run ${runId} of ${by} (pid ${pid}, since ${since})`
}

/** What the lock's file says of who took it last; undefined if it says nothing. */
function readHolder(file: string): Holder | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (!isObject(found)) return undefined
    const { pid, runId, by, since } = found
    return { pid: Number(pid), runId: String(runId), by: String(by), since: String(since) }
  } catch {
    // Missing, or caught between two writes: it is a courtesy, the lock is the kernel's.
    return undefined
  }
}

function writeHolder(fd: number, holder: Holder): void {
  ftruncateSync(fd, 0)
  writeSync(fd, `${JSON.stringify(holder)}\n`, 0)
}

function isSame(
  last: Holder | undefined,
  { pid, runId }: { readonly pid: number; readonly runId: string },
): boolean {
  return last?.pid === pid && last.runId === runId
}
