/**
 * What a writer saw, one record a line. `at` is wall time in milliseconds with fractions: all hosts of a
 * lab share the machine's clock, so that it can be laid beside theirs.
 */
export type WriterRecord =
  /** A write of value `n` was sent, on condition that the object is at revision `base`. */
  | { readonly at: number; readonly kind: 'try'; readonly n: number; readonly base: number }
  /** It was acknowledged, and made revision `rv`. */
  | { readonly at: number; readonly kind: 'ack'; readonly n: number; readonly rv: number }
  /** It was refused because somebody else had written; says nothing of any other write. */
  | { readonly at: number; readonly kind: 'conflict'; readonly n: number }
  /** No answer, or one that leaves open whether it was done. */
  | { readonly at: number; readonly kind: 'unknown'; readonly n: number; readonly why: string }
  /** The object was read: it held value `n` at revision `rv`. */
  | { readonly at: number; readonly kind: 'read'; readonly n: number; readonly rv: number }
  /** What the watch saw: the object with value `n`; `as` what kind of change it was told as. */
  | {
      readonly at: number
      readonly kind: 'event'
      readonly n: number
      readonly rv: number
      readonly as?: string
    }
  /** The watch was told that it has seen all up to revision `rv`. */
  | { readonly at: number; readonly kind: 'bookmark'; readonly rv: number }
  /** The watcher listed anew: the collection was at revision `rv`. */
  | { readonly at: number; readonly kind: 'list'; readonly rv: number }
  | { readonly at: number; readonly kind: 'watch-ended'; readonly why: string }
  /** A client was shown a revision below one that it had been shown before. */
  | {
      readonly at: number
      readonly kind: 'regression'
      readonly who: 'writer' | 'watcher'
      readonly seen: number
      readonly got: number
    }

/** The records of a writer's log. A last line that a kill cut short is left out. */
export function parseWriterLog(text: string): WriterRecord[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as WriterRecord)
}

/** The object that the writer wrote to, as it was found at the end. */
export interface FinalValue {
  readonly n: number
  readonly rv: number
}

export interface Verdict {
  /** Acknowledged writes that are no part of the object's history: their values. */
  readonly lost: readonly number[]
  /** Revisions that two acknowledged writes both replaced. */
  readonly twoWinners: readonly number[]
  readonly regressions: number
  readonly acknowledged: number
  readonly unknown: number
}

/**
 * Judges a writer's log by the object at its end. Each write was a compare-and-swap, so that the
 * object's history is a chain: the final revision was made on top of its base, that one on its own, to
 * the first. An acknowledged write that is not in the chain was lost, whatever came after it; that
 * holds when the table has been compacted too. Time-outs may be in the chain or not (A8).
 */
export function judge(log: readonly WriterRecord[], final: FinalValue): Verdict {
  const acks = log.filter((record) => record.kind === 'ack')
  const base = new Map(
    log.flatMap((record) => (record.kind === 'try' ? [[record.n, record.base] as const] : [])),
  )
  const madeBy = new Map(
    log.flatMap((record) =>
      record.kind === 'ack' || record.kind === 'read' || record.kind === 'event'
        ? [[record.rv, record.n] as const]
        : [],
    ),
  )
  const chain = new Set<number>()
  for (let n: number | undefined = final.n; n !== undefined && !chain.has(n);) {
    chain.add(n)
    const below: number | undefined = base.get(n)
    n = below === undefined ? undefined : madeBy.get(below)
  }
  const replaced = acks.map(({ n }) => base.get(n) ?? 0)
  return {
    lost: acks.map(({ n }) => n).filter((n) => !chain.has(n)),
    twoWinners: replaced.filter((rv, index) => replaced.indexOf(rv) !== index),
    regressions: log.filter(({ kind }) => kind === 'regression').length,
    acknowledged: acks.length,
    unknown: log.filter(({ kind }) => kind === 'unknown').length,
  }
}

export interface Gap {
  /** The last acknowledgement before it. @unit milliseconds of wall time */
  readonly from: number
  /** The first one after it. */
  readonly to: number
  readonly ms: number
}

/** The longest time without an acknowledgement that ends after `since`. */
export function longestGap(log: readonly WriterRecord[], since = 0): Gap | undefined {
  const times = log.filter(({ kind }) => kind === 'ack').map(({ at }) => at)
  let longest: Gap | undefined
  for (const [index, to] of times.entries()) {
    const from = times[index - 1]
    if (from === undefined || to < since) continue
    if (longest === undefined || to - from > longest.ms) longest = { from, to, ms: to - from }
  }
  return longest
}

/** Each time without an acknowledgement that was longer than this. */
export function gapsOver(log: readonly WriterRecord[], ms: number): readonly Gap[] {
  const times = log.filter(({ kind }) => kind === 'ack').map(({ at }) => at)
  return times.flatMap((to, index) => {
    const from = times[index - 1]
    return from === undefined || to - from <= ms ? [] : [{ from, to, ms: to - from }]
  })
}

/** The first acknowledgement after a moment. @unit milliseconds of wall time */
export function firstAckAfter(log: readonly WriterRecord[], moment: number): number | undefined {
  return log.find(({ kind, at }) => kind === 'ack' && at > moment)?.at
}

/** The last acknowledgement; 0 if there was none. @unit milliseconds of wall time */
export function lastAck(log: readonly WriterRecord[]): number {
  return log.findLast(({ kind }) => kind === 'ack')?.at ?? 0
}

/** How long the watch took, at worst, to show a revision that had been acknowledged. */
export function slowestEvent(log: readonly WriterRecord[]): number {
  const shown = log.filter(({ kind }) => kind === 'event' || kind === 'list')
  let next = 0
  let slowest = 0
  for (const ack of log) {
    if (ack.kind !== 'ack') continue
    while (next < shown.length && revisionOf(shown[next]) < ack.rv) next += 1
    const seen = shown[next]
    if (seen === undefined) return Number.POSITIVE_INFINITY
    slowest = Math.max(slowest, seen.at - ack.at)
  }
  return slowest
}

function revisionOf(record: WriterRecord | undefined): number {
  return record !== undefined && 'rv' in record ? record.rv : 0
}
