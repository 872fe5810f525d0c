import type { Json } from '../core/json.ts'
import { printable } from './paint.ts'
import type { HostStatus, SiteStatus } from './status.ts'

/** What a table shows for what could not be found out. */
const UNKNOWN = '–'

/** Lines that are worth one only where a host is not as usual. */
const USUAL: ReadonlyMap<string, boolean> = new Map([
  ['reachable', true],
  ['paused', false],
  ['frozen', false],
  ['impaired', false],
])

/** One column a host, one line a property: the two hosts can be compared at a glance. */
export function statusTable({ site, hosts, verdict }: SiteStatus): string {
  const names = Object.keys(hosts)
  const properties = [...new Set(names.flatMap((name) => Object.keys(hosts[name] ?? {})))]
  const rows = properties
    .filter((property) => {
      const usual = USUAL.get(property)
      return usual === undefined || names.some((n) => (hosts[n]?.[property] ?? usual) !== usual)
    })
    .map((property) => [words(property), ...names.map((name) => cell(hosts[name], property))])
  const table = [[`site ${site}`, ...names], ...rows]
  const widths =
    table[0]?.map((_, i) => Math.max(...table.map((row) => (row[i] ?? '').length))) ?? []
  const line = (row: readonly string[]) =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  return `${table.map(line).join('\n')}\n\n${printable(verdict)}\n`
}

function cell(status: HostStatus | undefined, property: string): string {
  if (status?.['reachable'] === false) return property === 'reachable' ? 'no' : ''
  const value = status?.[property]
  if (value === undefined) return ''
  return valueText(value)
}

function valueText(value: Json): string {
  if (value === null) return UNKNOWN
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value !== 'object') return printable(String(value)).split('\n')[0] ?? ''
  const parts: readonly Json[] = Array.isArray(value) ? value : Object.values(value)
  return parts.map(valueText).join(' ')
}

/** `kineVersion` and `kine_version` are read as words. */
function words(property: string): string {
  return property
    .replaceAll('_', ' ')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
}
