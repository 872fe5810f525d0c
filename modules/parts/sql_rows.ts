import type { Json, JsonObject } from '../../src/core/json.ts'

/** Rows of a query as expressions and registers can hold them. */
export function rowsAsJson(rows: readonly object[]): readonly JsonObject[] {
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([column, value]) => [column, asJson(value)])),
  )
}

function asJson(value: unknown): Json {
  if (typeof value === 'bigint')
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(asJson)
  // Plain scalars and parsed json columns; a Buffer and its like say what they are by their JSON form.
  return JSON.parse(JSON.stringify(value)) as Json
}
