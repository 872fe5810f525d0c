import type { JsonObject } from '../../src/core/json.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Schema of an argument that is a length of time. */
export function durationSchema(description: string, fallback: string): JsonObject {
  return {
    type: 'string',
    pattern: '^[0-9]+(ms|s|m|h)$',
    'x-form': "a duration with its unit, such as '500ms', '30s' or '5m'",
    default: fallback,
    description,
  }
}

/** Milliseconds of a duration that the schema above let through. */
export function durationMs(text: string): number {
  const [, count, unit] = /^([0-9]+)(ms|s|m|h)$/.exec(text) ?? []
  const factor = UNIT_MS[unit ?? '']
  if (count === undefined || factor === undefined) throw new RangeError(`no duration: ${text}`)
  return Number(count) * factor
}
