import type { WriterRecord } from './writer_log.ts'

/** What became of a writer's raw watch. */
export interface WatchVerdict {
  /** Times that its connection was cut, or the server ended it. */
  readonly interrupted: number
  /** Lists after the first: each is a client that lost its place. */
  readonly lists: number
  /** Acknowledged revisions that the watch never showed. */
  readonly missing: readonly number[]
  /** Events that came again, or after a later one. */
  readonly outOfOrder: number
}

/**
 * Judges a writer's watch by its writes: each acknowledged revision is one event, in order, on one
 * connection. The last of them may still be under way.
 */
export function watchVerdict(log: readonly WriterRecord[]): WatchVerdict {
  const firstList = log.findIndex(({ kind }) => kind === 'list')
  const since = firstList < 0 ? [] : log.slice(firstList)
  const [list] = since
  const from = list?.kind === 'list' ? list.rv : 0
  const events = since.flatMap((record) => (record.kind === 'event' ? [record.rv] : []))
  const last = events.at(-1) ?? from
  const shown = new Set(events)
  return {
    interrupted: since.filter(({ kind }) => kind === 'watch-ended').length,
    lists: since.filter(({ kind }) => kind === 'list').length - (firstList < 0 ? 0 : 1),
    missing: log.flatMap((record) =>
      record.kind === 'ack' && record.rv > from && record.rv <= last && !shown.has(record.rv)
        ? [record.rv]
        : [],
    ),
    outOfOrder: events.filter((rv, index) => rv <= (events[index - 1] ?? 0)).length,
  }
}

/**
 * What must not be of a client that goes on from the last revision that it was shown, and lists anew
 * only when that is compacted: one line for each event that came twice or late, for each acknowledged
 * revision between two that were shown which was not, for each event that does not follow the one that
 * its write replaced, and for each that is told as something else than a change of the object.
 */
export function watchProblems(log: readonly WriterRecord[]): string[] {
  const writes = writesOf(log)
  const stretches: WriterRecord[][] = [[]]
  for (const record of log) {
    if (record.kind === 'list') stretches.push([])
    if (record.kind === 'list' || record.kind === 'event' || record.kind === 'bookmark')
      stretches.at(-1)?.push(record)
  }
  return stretches.flatMap((shown) => stretchProblems(shown, writes))
}

interface Writes {
  readonly acked: readonly number[]
  /** The revision that a write was made upon, by its value. */
  readonly bases: ReadonlyMap<number, number>
}

function writesOf(log: readonly WriterRecord[]): Writes {
  return {
    acked: log.flatMap((record) => (record.kind === 'ack' ? [record.rv] : [])),
    bases: new Map(
      log.flatMap((record) => (record.kind === 'try' ? [[record.n, record.base] as const] : [])),
    ),
  }
}

/** What was shown from one list to the next. */
function stretchProblems(shown: readonly WriterRecord[], { acked, bases }: Writes): string[] {
  const problems: string[] = []
  const revisions = new Set<number>()
  let [from, last, before] = [Number.POSITIVE_INFINITY, 0, 0]
  for (const record of shown) {
    if (record.kind === 'list') [from, last] = [record.rv, record.rv]
    // A bookmark may say the same revision again: all up to it was shown.
    if (record.kind === 'bookmark') {
      if (record.rv < last) problems.push(`the watch was at ${last}, and marked ${record.rv}`)
      last = Math.max(last, record.rv)
    }
    if (record.kind !== 'event') continue
    const { n, rv, as } = record
    if (rv <= last) problems.push(`the watch showed ${rv} after ${last}`)
    const base = bases.get(n)
    if (before > 0 && base !== undefined && base !== before)
      problems.push(`the watch showed ${rv} after ${before}, and it replaced ${base}`)
    // Only the first write makes the object: another one that is ADDED has lost what it replaced.
    if (as !== undefined && as !== (n === 0 ? 'ADDED' : 'MODIFIED'))
      problems.push(`the watch showed ${rv} as ${as}`)
    before = rv
    last = Math.max(last, rv)
    revisions.add(rv)
  }
  const missing = acked.filter((rv) => rv > from && rv <= last && !revisions.has(rv))
  if (missing.length > 0) problems.push(`the watch never showed ${missing.join(', ')}`)
  return problems
}
