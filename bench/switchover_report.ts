import Table from 'cli-table3'
import type { HostName } from '../lab/names.ts'
import type { SwitchoverTrial } from '../lab/switchover_trial.ts'
import type { WatchVerdict } from '../lab/watch_log.ts'
import { percentile } from './percentile.ts'

/** What became of the writer and the watch on one API server, over all trials. */
export interface WriterVerdict extends WatchVerdict {
  readonly host: HostName
  readonly lost: number
  readonly regressions: number
  readonly acknowledged: number
}

interface Measure {
  readonly name: string
  readonly of: (trial: SwitchoverTrial) => number | undefined
  /** @unit milliseconds, of the 95th percentile */
  readonly bar?: number
}

/** What is measured, in the order of its happening, and how long it may take. */
const MEASURES: readonly Measure[] = [
  { name: 'the follower stands still', of: (trial) => trial.prepared },
  { name: 'the leader does, too', of: (trial) => trial.stoodStill },
  { name: 'digests are equal', of: (trial) => trial.compared },
  { name: 'the new leader serves', of: (trial) => trial.tookUp },
  { name: 'API write gap', of: (trial) => trial.gap, bar: 2_000 },
  { name: "the old leader's API", of: (trial) => trial.gapOfOld },
  { name: 'a pair again', of: (trial) => trial.paired },
]

/** True when every gap was seen and short, and nothing was lost, copied, jumped or interrupted. */
export function meetsBars(
  trials: readonly SwitchoverTrial[],
  writers: readonly WriterVerdict[],
): boolean {
  return (
    trials.every(({ copied, jump, paired }) => !copied && jump === 1 && paired !== undefined) &&
    writers.every(
      ({ lost, regressions, interrupted, lists, missing, outOfOrder }) =>
        lost + regressions + interrupted + lists + missing.length + outOfOrder === 0,
    ) &&
    rowsOf(trials).every(
      ({ seen, p95, bar }) => bar === undefined || (seen === trials.length && p95 <= bar),
    )
  )
}

/** Prints percentiles of all trials, as a table or as one JSON object with the trials in it. */
export function printSwitchovers(
  trials: readonly SwitchoverTrial[],
  {
    seed,
    json,
    writers,
  }: {
    readonly seed: number
    readonly json: boolean
    readonly writers: readonly WriterVerdict[]
  },
): void {
  const rows = rowsOf(trials)
  const copies = trials.filter(({ copied }) => copied).length
  const jumps = trials.filter(({ jump }) => jump !== 1).length
  if (json) {
    const all = { bench: 'switchover', runs: trials.length, seed, rows, copies, jumps }
    return void process.stdout.write(`${JSON.stringify({ ...all, writers, trials })}\n`)
  }
  const table = new Table({
    head: ['', 'seen', 'p50', 'p95', 'max', 'bar'],
    style: { head: [], border: [] },
  })
  for (const { name, seen, p50, p95, max, bar } of rows)
    table.push([
      name,
      `${seen} of ${trials.length}`,
      ...[p50, p95, max].map(seconds),
      bar === undefined ? '' : `p95 ≤ ${seconds(bar)}`,
    ])
  const sum = (of: (writer: WriterVerdict) => number): number =>
    writers.reduce((total, writer) => total + of(writer), 0)
  process.stdout.write(
    [
      `${trials.length} switchovers, seed ${seed}`,
      table.toString(),
      `acknowledged writes: ${sum((w) => w.acknowledged)}, lost: ${sum((w) => w.lost)}`,
      `watches interrupted: ${sum((w) => w.interrupted)}, lists anew: ${sum((w) => w.lists)}, events missing: ${sum((w) => w.missing.length)}, out of order: ${sum((w) => w.outOfOrder)}`,
      `revisions gone back: ${sum((w) => w.regressions)}, jumps: ${jumps}, copies: ${copies}`,
      '',
    ].join('\n'),
  )
}

function rowsOf(trials: readonly SwitchoverTrial[]) {
  return MEASURES.map(({ name, of, bar }) => {
    const values = trials.flatMap((trial) => of(trial) ?? [])
    const at = (percent: number): number =>
      values.length === 0 ? Number.NaN : Math.round(percentile(values, percent))
    return { name, seen: values.length, p50: at(50), p95: at(95), max: at(100), bar }
  })
}

function seconds(ms: number): string {
  return Number.isNaN(ms) ? '-' : `${(ms / 1000).toFixed(2)} s`
}
