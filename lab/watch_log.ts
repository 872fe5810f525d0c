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
 * only when that is compacted: one line for each event that came twice or late, and for each
 * acknowledged revision between two that were shown which was not.
 */
export function watchProblems(log: readonly WriterRecord[]): string[] {
  const problems: string[] = []
  const acked = log.flatMap((record) => (record.kind === 'ack' ? [record.rv] : []))
  let [from, last] = [Number.POSITIVE_INFINITY, 0]
  let shown = new Set<number>()
  const close = (): void => {
    const missing = acked.filter((rv) => rv > from && rv <= last && !shown.has(rv))
    if (missing.length > 0) problems.push(`the watch never showed ${missing.join(', ')}`)
    shown = new Set()
  }
  for (const record of log) {
    if (record.kind === 'list') {
      close()
      from = record.rv
      last = record.rv
    }
    if (record.kind !== 'event') continue
    if (record.rv <= last) problems.push(`the watch showed ${record.rv} after ${last}`)
    last = Math.max(last, record.rv)
    shown.add(record.rv)
  }
  close()
  return problems
}
