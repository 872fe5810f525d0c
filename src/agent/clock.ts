import { readFileSync } from 'node:fs'
import type { Clock } from './ports.ts'

/** Seconds since boot, sleep included: CLOCK_BOOTTIME to a hundredth. */
const UPTIME = '/proc/uptime'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/**
 * The machine's clock. Reading /proc/uptime takes some microseconds, and tells what no clock of the
 * runtime does: how long a suspended or frozen host was away (A8).
 */
export function createClock(): Clock {
  return { now: bootTimeMs, sleep, wallTime: () => new Date().toISOString() }
}

/** Time since boot, sleep included; never jumps. @unit milliseconds, to 10 */
export function bootTimeMs(): number {
  return Math.round(Number(readFileSync(UPTIME, 'latin1').split(' ', 1)[0]) * 1000)
}

/** Another one after each boot. */
export function readBootId(): string {
  return readFileSync(BOOT_ID, 'latin1').trim()
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
