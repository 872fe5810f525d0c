import type { Decision } from './pair_view.ts'
import type { WriterRecord } from './writer_log.ts'

/** Something that happened, for a person who reads what led to what. */
export interface Moment {
  /** @unit milliseconds of wall time */
  readonly at: number
  readonly who: string
  readonly what: string
}

/** A pause between two acknowledgements that is worth a line. @unit milliseconds */
const LONG_PAUSE_MS = 500

/** Everything that happened, one line each, with seconds since the first. */
export function timelineText(moments: readonly Moment[]): string {
  const sorted = moments.toSorted((a, b) => a.at - b.at)
  const first = sorted[0]?.at ?? 0
  return sorted
    .map(
      ({ at, who, what }) =>
        `${((at - first) / 1000).toFixed(3).padStart(9)}  ${who.padEnd(6)}  ${what}`,
    )
    .join('\n')
}

/** What an agent noted, in words. */
export function decisionMoment({ host, at, record }: Decision): Moment {
  return { at, who: host, what: words(record) }
}

function words(record: Readonly<Record<string, unknown>>): string {
  const text = (name: string): string => String(record[name])
  switch (record['kind']) {
    case 'decision':
      return `${text('rule')} → ${text('goal')}: ${text('why')}`
    case 'meta':
      return `hostMeta: ${text('leader')} leads, ${text('mode')}, term ${text('term')}, branch ${text('branch')}`
    case 'converge': {
      const said = record['message'] === null ? '' : `: ${text('message')}`
      return `converge ${text('tags')}: ${text('outcome')} in ${Math.round(Number(record['ms']))} ms${said}`
    }
    case 'proof':
      return `proof for term ${text('term')}, voided up to ${text('voided')}`
    case 'fault':
      return `FAULT ${text('what')}: ${text('message')}`
    default:
      return JSON.stringify(record)
  }
}

/** A writer's pauses, and each thing that went wrong for it in one; not each of its writes. */
export function writerMoments(name: string, log: readonly WriterRecord[]): Moment[] {
  const moments: Moment[] = []
  const say = (at: number, what: string): void => void moments.push({ at, who: name, what })
  let last: WriterRecord | undefined
  // It asks ten times a second: who is refused for a minute would fill the page.
  const told = new Set<string>()
  const tell = (at: number, why: string, what: string): void => {
    if (!told.has(why)) say(at, `${what}: ${why}`)
    told.add(why)
  }
  for (const record of log) {
    if (record.kind === 'ack') {
      if (last === undefined) say(record.at, 'first acknowledged write')
      else if (record.at - last.at > LONG_PAUSE_MS)
        say(record.at, `acknowledged again after ${Math.round(record.at - last.at)} ms`)
      last = record
      told.clear()
    } else if (record.kind === 'unknown') tell(record.at, record.why, `write ${record.n}`)
    else if (record.kind === 'watch-ended') tell(record.at, record.why, 'watch ended')
    else if (record.kind === 'regression')
      say(record.at, `${record.who} was shown ${record.got} after ${record.seen}`)
  }
  if (last !== undefined) say(last.at, 'last acknowledged write')
  return moments
}
