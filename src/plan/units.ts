const DURATIONS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZES = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const

/** What a duration looks like; also the JSON Schema pattern. */
export const DURATION_PATTERN = '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$'

/** What a size looks like. As in PostgreSQL, a kB is 1024 bytes. */
export const SIZE_PATTERN = '^[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|TB)$'

/** `250ms`, `1s`, `5m` as milliseconds; undefined if it is none. @unit milliseconds */
export function parseDuration(text: string): number | undefined {
  return parse(text, DURATION_PATTERN, DURATIONS)
}

/** The same backwards, in the largest unit that leaves a whole number. */
export function durationText(ms: number): string {
  const units = Object.entries(DURATIONS).toReversed()
  const [unit, factor] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1]
  return `${ms / factor}${unit}`
}

/** `0B`, `64MB` as bytes; undefined if it is none. @unit bytes */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_PATTERN, SIZES)
}

function parse(
  text: string,
  pattern: string,
  units: Readonly<Record<string, number>>,
): number | undefined {
  if (!new RegExp(pattern).test(text)) return undefined
  const [, amount, unit] = /^([0-9.]+)([A-Za-z]+)$/.exec(text) ?? []
  const factor = units[unit ?? '']
  return amount === undefined || factor === undefined
    ? undefined
    : Math.round(Number(amount) * factor)
}
