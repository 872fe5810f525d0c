/**
 * Quoting for the few places where PostgreSQL takes no parameter: utility statements such as
 * CREATE SUBSCRIPTION, and names. Everything else goes through parameters.
 * @source https://www.postgresql.org/docs/15/sql-syntax-lexical.html
 */
export function identifier(name: string): string {
  refuseNul(name)
  return `"${name.replaceAll('"', '""')}"`
}

/** A string literal, right under either setting of standard_conforming_strings. */
export function literal(value: string): string {
  refuseNul(value)
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return value.includes('\\') ? `E${quoted}` : quoted
}

function refuseNul(text: string): void {
  if (text.includes('\0')) throw new RangeError('PostgreSQL text can not hold a NUL byte')
}
