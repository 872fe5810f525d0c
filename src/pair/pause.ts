import { isObject, parseJson } from '../core/json.ts'

/** Version of what a pause's file holds. */
const FORMAT = 1

/** What an operator gets who names no time: longer than a repair, shorter than a night. @unit milliseconds */
export const PAUSE_MS = 60 * 60_000

/** Nobody watches a pair for longer than that. @unit milliseconds */
export const LONGEST_PAUSE_MS = 24 * 60 * 60_000

/** Shorter would be over before its answer is read. @unit milliseconds */
export const SHORTEST_PAUSE_MS = 1_000

/** A time by all the clocks that a host has. */
export interface Moment {
  /** Another one after each boot. */
  readonly boot: string
  /** CLOCK_BOOTTIME: never jumps, and begins anew with each boot. @unit milliseconds */
  readonly upMs: number
  /** The clock on the wall, which somebody may set. @unit milliseconds since 1970 */
  readonly wallMs: number
}

/** A pause that ends by itself. Within a boot only its own clock counts. */
export interface Pause {
  readonly boot: string
  readonly untilUpMs: number
  readonly untilWallMs: number
  /** What was left when this was written: no clock makes more of it. @unit milliseconds */
  readonly forMs: number
}

/** A pause from now on. */
export function pauseFrom({ boot, upMs, wallMs }: Moment, forMs: number): Pause {
  return { boot, untilUpMs: upMs + forMs, untilWallMs: wallMs + forMs, forMs }
}

/**
 * What is left of it; 0: it is over. After a boot nothing but the clock on the wall knows how long the host
 * was away: one that was set back makes the pause no longer than it was.
 * @unit milliseconds
 */
export function pauseLeft(pause: Pause, { boot, upMs, wallMs }: Moment): number {
  const left = pause.boot === boot ? pause.untilUpMs - upMs : pause.untilWallMs - wallMs
  return Math.min(Math.max(0, left), pause.forMs)
}

export function serialisePause(pause: Pause): string {
  return `${JSON.stringify({ format: FORMAT, ...pause })}\n`
}

/** Null: the file is none of ours. Empty, or of any content, it is a pause until somebody removes it. */
export function parsePause(text: string): Pause | null {
  const parsed = parseJson(text)
  if (!isObject(parsed) || parsed['format'] !== FORMAT) return null
  const { boot, untilUpMs, untilWallMs, forMs } = parsed
  const numbers = [untilUpMs, untilWallMs, forMs]
  if (typeof boot !== 'string' || !numbers.every(Number.isSafeInteger)) return null
  return {
    boot,
    untilUpMs: Number(untilUpMs),
    untilWallMs: Number(untilWallMs),
    forMs: Number(forMs),
  }
}

/** `until 17:30 UTC, 42 min left`, by the clock on the wall as it goes now. */
export function pauseText(leftMs: number | null, wallMs: number): string {
  if (leftMs === null) return 'no expiry'
  const until = new Date(wallMs + leftMs).toISOString()
  const day = until.slice(0, 10) === new Date(wallMs).toISOString().slice(0, 10) ? 11 : 0
  return `until ${until.slice(day, 16).replace('T', ' ')} UTC, ${leftText(leftMs)} left`
}

function leftText(leftMs: number): string {
  if (leftMs < 60_000) return `${Math.ceil(leftMs / 1000)} s`
  const minutes = Math.ceil(leftMs / 60_000)
  if (minutes < 120) return `${minutes} min`
  const rest = minutes % 60
  return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`
}
