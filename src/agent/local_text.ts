import type { Json, JsonObject } from '../core/json.ts'
import type { PeerSays } from '../pair/facts.ts'

/** An agent's status, one property a line. */
export function statusText(status: JsonObject): string {
  const names = Object.keys(status)
  const width = Math.max(...names.map((name) => words(name).length))
  return names.map((name) => `${words(name).padEnd(width)}  ${valueText(status[name])}`).join('\n')
}

/** What this host is now, on one line: for `systemctl status`. */
export function standing(self: string, { meta, impaired, paused, settled }: PeerSays): string {
  if (meta === null) return 'no hostMeta'
  const { leader, mode, term } = meta
  const role = leader === self ? 'leader' : `follower of ${leader}`
  const flags = { impaired, paused, 'not settled': !settled }
  const more = Object.entries(flags).flatMap(([name, holds]) => (holds ? [name] : []))
  return [role, mode, `term ${term}`, ...more].join(', ')
}

/** One line of a journal of decisions: when, where, what, why. */
export function timelineLine(entry: JsonObject): string {
  const at = valueText(entry['at']).replace('T', ' ').replace('Z', '')
  return `${at}  ${valueText(entry['host']).padEnd(8)}  ${eventText(entry)}`
}

function eventText(entry: JsonObject): string {
  const text = (name: string) => valueText(entry[name])
  switch (text('kind')) {
    case 'decision': {
      const times = entry['repeated'] === undefined ? '' : ` (${text('repeated')} times more)`
      return `${text('rule')}: ${text('goal')}, ${text('why')}${times}`
    }
    case 'meta':
      return `hostMeta: ${text('leader')} leads, term ${text('term')}, branch ${text('branch')}, ${text('mode')}`
    case 'converge': {
      const message = entry['message'] == null ? '' : `: ${text('message')}`
      return `converge ${text('tags')}: ${text('outcome')} in ${text('ms')} ms${message}`
    }
    case 'proof':
      return `proof: term ${text('term')}, voided to ${text('voided')}`
    case 'newcomer':
      return `newcomer: ${text('name')} (${text('address')}) is let in by join token ${text('token')}`
    case 'fault':
      return `fault: ${text('what')}: ${text('message')}`
    default:
      return JSON.stringify(entry)
  }
}

function valueText(value: Json | undefined): string {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map(valueText).join(' ')
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}

/** `proofTerm` is read as words. */
function words(name: string): string {
  return name.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
}

/** Of a message to the peer, envelope and quoting left aside. @unit characters */
const FITTING = 48 * 1024

/** As many of the last lines as fit in a message to the peer. */
export function newestFitting(lines: readonly unknown[]): readonly JsonObject[] {
  const kept: JsonObject[] = []
  let left = FITTING
  for (const line of lines.toReversed()) {
    const text = JSON.stringify(line)
    left -= text.length
    if (left < 0) break
    kept.unshift(JSON.parse(text) as JsonObject)
  }
  return kept
}
