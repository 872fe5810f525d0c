import { constants, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LastBeat } from './ports.ts'

/** What the guard reads (B9); in memory, so that no boot finds one of the boot before. */
export const ALIVE_FILE = '/run/twonode/agent.alive'

/** As many digits as it takes for three years, always the same: a reader sees one whole number. */
const DIGITS = 11

/** The agent's sign of life for the unit that stops kine when it is missing. */
export interface Heartbeat extends LastBeat {
  readonly beat: () => void
}

/** `nowMs`: CLOCK_BOOTTIME, as the guard reads it from /proc/uptime. */
export function openHeartbeat(nowMs: () => number, file = ALIVE_FILE): Heartbeat {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Not emptied: the last beat of an agent that starts anew counts until the next one.
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
  return {
    lastBeatAt: readBeat(fd),
    beat: () => {
      const hundredths = String(Math.round(nowMs() / 10)).padStart(DIGITS, '0')
      writeSync(fd, `${hundredths}\n`, 0)
    },
  }
}

function readBeat(fd: number): number | null {
  const bytes = Buffer.alloc(DIGITS)
  const length = readSync(fd, bytes, 0, DIGITS, 0)
  const hundredths = bytes.toString('latin1', 0, length)
  return new RegExp(`^\\d{${DIGITS}}$`).test(hundredths) ? Number(hundredths) * 10 : null
}
