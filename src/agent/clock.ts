import { openSync, readFileSync, readSync } from 'node:fs'
import type { Moment } from '../pair/pause.ts'
import type { Clock } from './ports.ts'

/** Seconds since boot, sleep included: CLOCK_BOOTTIME to a hundredth. */
const UPTIME = '/proc/uptime'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** More than it ever says. @unit bytes */
const UPTIME_BYTES = 64

/**
 * The machine's clock. Reading /proc/uptime takes some microseconds, and tells what no clock of the
 * runtime does: how long a suspended or frozen host was away (A8). It stays open: a round asks for the
 * time dozens of times, and what is opened for each of them was a tenth of all that an agent did.
 */
export function createClock(): Clock {
  const uptime = openSync(UPTIME, 'r')
  const bytes = Buffer.alloc(UPTIME_BYTES)
  const now = () => {
    const length = readSync(uptime, bytes, 0, UPTIME_BYTES, 0)
    return bootTimeMs(bytes.toString('latin1', 0, length))
  }
  return { now, sleep, wallTime: () => new Date().toISOString() }
}

/** Time since boot, sleep included; never jumps. @unit milliseconds, to 10 */
function bootTimeMs(uptime: string): number {
  return Math.round(Number(uptime.split(' ', 1)[0]) * 1000)
}

/** Another one after each boot. */
export function readBootId(): string {
  return readFileSync(BOOT_ID, 'latin1').trim()
}

/** Now, by all clocks of this host. */
export function momentOf(clock: Pick<Clock, 'now' | 'wallTime'>, boot: string): Moment {
  return { boot, upMs: clock.now(), wallMs: Date.parse(clock.wallTime()) }
}

/** Resolves after the time, or at once when it is to stop. */
async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    stop.addEventListener('abort', end)
  })
}
