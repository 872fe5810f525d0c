import Table from 'cli-table3'
import type { FailoverTrial } from '../lab/failover_trial.ts'
import { percentile } from './percentile.ts'

interface Measure {
  readonly name: string
  /** Default: all trials. */
  readonly among?: (trial: FailoverTrial) => boolean
  readonly of: (trial: FailoverTrial) => number | undefined
  /** @unit milliseconds */
  readonly bars: Row['bars']
}

/** What is measured, in the order of its happening, and how long it may take. */
const MEASURES: readonly Measure[] = [
  { name: 'detection', of: (trial: FailoverTrial) => trial.detection, bars: {} },
  { name: 'promotion', of: (trial: FailoverTrial) => trial.promotion, bars: { p95: 300 } },
  {
    name: 'API write gap',
    of: (trial: FailoverTrial) => trial.gap,
    bars: { p50: 5_500, p95: 7_000 },
  },
  {
    name: 'controllers work',
    of: (trial: FailoverTrial) => trial.controllers,
    bars: { p95: 8_000 },
  },
  {
    name: 'return, agent up',
    among: (trial: FailoverTrial) => !trial.copied,
    of: (trial: FailoverTrial) => trial.returned,
    bars: { p95: 2_000 },
  },
  {
    name: 'return with a copy',
    among: (trial: FailoverTrial) => trial.copied,
    of: (trial: FailoverTrial) => trial.returned,
    bars: {},
  },
  { name: 'paired again', of: (trial: FailoverTrial) => trial.paired, bars: {} },
]

interface Row {
  readonly measure: string
  /** Trials in which it could be seen, and those in which it was. */
  readonly among: number
  readonly seen: number
  readonly p50: number
  readonly p95: number
  readonly max: number
  readonly bars: { readonly p50?: number; readonly p95?: number }
}

/** True when everything was seen in every trial, in time, and nothing was lost. */
export function meetsBars(trials: readonly FailoverTrial[]): boolean {
  return (
    trials.every(({ lost, regressions }) => lost === 0 && regressions === 0) &&
    rowsOf(trials).every(
      ({ among, seen, p50, p95, bars }) =>
        seen === among && !(p50 > (bars.p50 ?? Infinity)) && !(p95 > (bars.p95 ?? Infinity)),
    )
  )
}

/** Prints percentiles of all trials, as a table or as one JSON object with the trials in it. */
export function printFailovers(
  trials: readonly FailoverTrial[],
  { seed, json }: { readonly seed: number; readonly json: boolean },
): void {
  const rows = rowsOf(trials)
  const sum = (of: (trial: FailoverTrial) => number): number =>
    trials.reduce((total, trial) => total + of(trial), 0)
  const lost = sum((trial) => trial.lost)
  const regressions = sum((trial) => trial.regressions)
  if (json) {
    const all = { bench: 'failover', runs: trials.length, seed, rows, lost, regressions, trials }
    return void process.stdout.write(`${JSON.stringify(all)}\n`)
  }
  const head = ['from power-off', 'seen', 'p50', 'p95', 'max', 'bar']
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { measure, among, seen, p50, p95, max, bars } of rows)
    table.push([
      measure,
      `${seen} of ${among}`,
      seconds(p50),
      seconds(p95),
      seconds(max),
      barText(bars),
    ])
  const dead = trials.filter(({ lockWasDead }) => lockWasDead).length
  process.stdout.write(
    `${trials.length} power cuts of the leader, seed ${seed}; ${dead} times it held the controllers' lock\n` +
      `${table.toString()}\n` +
      `acknowledged writes lost: ${lost}\nrevisions gone back: ${regressions}\n`,
  )
}

function rowsOf(trials: readonly FailoverTrial[]): Row[] {
  return MEASURES.map(({ name, among = () => true, of, bars }) => {
    const counted = trials.filter(among)
    const values = counted.flatMap((trial) => of(trial) ?? [])
    const at = (percent: number): number =>
      values.length === 0 ? Number.NaN : Math.round(percentile(values, percent))
    const range = { p50: at(50), p95: at(95), max: at(100) }
    return { measure: name, among: counted.length, seen: values.length, ...range, bars }
  })
}

function barText(bars: Row['bars']): string {
  return Object.entries(bars)
    .map(([name, ms]) => `${name} ≤ ${seconds(ms)}`)
    .join(', ')
}

function seconds(ms: number): string {
  return Number.isNaN(ms) ? '-' : `${(ms / 1000).toFixed(2)} s`
}
