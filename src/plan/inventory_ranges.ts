import { durationText, parseDuration } from './units.ts'

/** From which duration to which, in the one place that both the rules and the reference read. */
export interface Range {
  readonly shortestMs: number
  readonly longestMs: number
}

/**
 * Not shorter: the fence and the promotion are one interval apart, and killing kine must fit into it with
 * room for a late tick. Not longer: a dead leader would go unnoticed for minutes.
 */
export const LIVENESS_RANGE: Range = { shortestMs: 250, longestMs: 60_000 }

export const SCRIPT_INTERVAL_RANGE: Range = { shortestMs: 1_000, longestMs: 3_600_000 }

export const SCRIPT_TIMEOUT_RANGE: Range = { shortestMs: 100, longestMs: 60_000 }

/** A try at the claim is a few requests, and has two seconds (C3). */
export const WITNESS_TIMEOUT_RANGE: Range = { shortestMs: 100, longestMs: 2_000 }

/** A management controller takes its time; a leader's writes wait for it. */
export const FENCING_TIMEOUT_RANGE: Range = { shortestMs: 1_000, longestMs: 30_000 }

export const FENCING_DELAY_RANGE: Range = { shortestMs: 0, longestMs: 60_000 }

/** A converge takes seconds: more often than this the host would do nothing else. */
export const RECONCILE_RANGE: Range = { shortestMs: 30_000, longestMs: 86_400_000 }

/** `250ms to 1m`: as an inventory writes it. */
export function rangeWords({ shortestMs, longestMs }: Range): string {
  return `${durationText(shortestMs)} to ${durationText(longestMs)}`
}

export function isWithin(ms: number, { shortestMs, longestMs }: Range): boolean {
  return ms >= shortestMs && ms <= longestMs
}

/** How a bare number is most likely meant: in seconds, unless only another unit is within the range. */
export function likelyDuration(value: number, range: Range | undefined): string {
  const units = range === undefined ? [] : ['s', 'ms', 'm']
  const texts = units.map((unit) => `${value}${unit}`)
  const fitting = texts.find(
    (text) => range !== undefined && isWithin(parseDuration(text) ?? -1, range),
  )
  return fitting ?? `${value}s`
}
