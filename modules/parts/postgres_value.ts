/** What pg_settings says of one parameter. */
export interface Parameter {
  readonly name: string
  readonly setting: string
  readonly unit: string | null
  readonly vartype: 'bool' | 'enum' | 'integer' | 'real' | 'string'
  readonly context: string
}

const KB = 1024

/** @source https://www.postgresql.org/docs/15/config-setting.html#CONFIG-SETTING-NAMES-VALUES */
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: KB,
  MB: KB ** 2,
  GB: KB ** 3,
  TB: KB ** 4,
}

const MICROSECONDS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  min: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
}

const TRUE_WORDS = /^(?:on|tru?e?|t|ye?s?|1)$/i
const FALSE_WORDS = /^(?:off?|fa?l?s?e?|no?|0)$/i

/**
 * True if a value as people write it (`1GB`, `on`, `200ms`) is the one that the server runs with,
 * which pg_settings gives in the parameter's own unit (`131072` of `8kB`).
 */
export function runsWith(wanted: string, parameter: Parameter): boolean {
  const { setting, unit, vartype } = parameter
  switch (vartype) {
    case 'bool':
      return setting === 'on' ? TRUE_WORDS.test(wanted.trim()) : FALSE_WORDS.test(wanted.trim())
    case 'enum':
      return wanted.trim().toLowerCase() === setting.toLowerCase()
    case 'integer':
    case 'real': {
      const value = inUnit(wanted, unit)
      if (value === undefined) return false
      // Whole numbers are rounded to their unit: 1500us is 2 ms.
      const difference = Math.abs(value - Number(setting))
      return vartype === 'integer' ? difference <= 0.5 : difference <= Math.abs(value) * 1e-9
    }
    case 'string':
      return normalised(wanted) === normalised(setting)
  }
}

/** PostgreSQL writes some lists and names its own way: `iso,mdy` is `ISO, MDY`. */
function normalised(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/\s*,\s*/g, ',')
}

/** `1GB` in units of `8kB`: 131072. Undefined if it can't be said in that unit. */
function inUnit(text: string, unit: string | null): number | undefined {
  const [, number, given] =
    /^\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*$/.exec(text) ?? []
  if (number === undefined || given === undefined || Number.isNaN(Number(number))) return undefined
  if (given === '') return Number(number)
  if (unit === null) return undefined
  const [, count = '', base = ''] = /^([0-9]*)([A-Za-z]+)$/.exec(unit) ?? []
  const scale = BYTES[base] === undefined ? MICROSECONDS : BYTES
  const [from, to] = [scale[given], scale[base]]
  if (from === undefined || to === undefined) return undefined
  return (Number(number) * from) / (to * (count === '' ? 1 : Number(count)))
}
