import Table from 'cli-table3'
import {
  COPY_FAULT_NAMES,
  copyTrial,
  type CopyTrial,
  fillTable,
  keptACopy,
} from '../lab/copy_trial.ts'
import { LabError } from '../lab/lab_error.ts'
import { seeded } from '../lab/seed.ts'
import { makeLaptop } from '../lab/twonode_process.ts'
import { percentile } from './percentile.ts'
import { readyPair, withPair } from './ready_pair.ts'

const LAB_NAME = 'benchcpy'

/** A copy of so much takes that long, about: the moments of the faults lie within. @unit milliseconds a MiB */
const COPY_MS_A_MIB = 25

/** A pair again after a fault, and its time for each MiB that is copied once more. @unit milliseconds */
const PAIRED_MS = 120_000
const PAIRED_MS_A_MIB = 200

export interface CopyOptions {
  readonly mib: number
  readonly moments: number
  readonly seed: number
  readonly json?: boolean
}

/** Strikes copies of a table of that size at seeded moments, and looks for a valid copy after each. */
export async function benchCopy({
  mib,
  moments,
  seed,
  json = false,
  stop,
}: CopyOptions & { readonly stop: AbortSignal }): Promise<void> {
  const trials: CopyTrial[] = []
  const random = seeded(seed)
  await withPair(
    LAB_NAME,
    () => ({}),
    async (lab) => {
      const from = await makeLaptop(lab, 'bench')
      await lab.snapshot('pair')
      // Their disks are memory's: they can be filled, and a gigabyte is written at once.
      await lab.reset('pair', { smallDisks: true })
      const digest = await fillTable(lab, await readyPair(lab), mib)
      for (let moment = 1; moment <= moments; moment += 1)
        for (const fault of COPY_FAULT_NAMES) {
          stop.throwIfAborted()
          const leader = await readyPair(lab)
          const atMs = Math.floor(random() * mib * COPY_MS_A_MIB)
          const pairedWithinMs = PAIRED_MS + mib * PAIRED_MS_A_MIB
          const trial = await copyTrial({ lab, from, leader, fault, atMs, digest, pairedWithinMs })
          trials.push(trial)
          process.stderr.write(`moment ${moment} of ${moments}: ${JSON.stringify(trial)}\n`)
          if (trial.paired === undefined)
            throw new LabError('no pair again', 'Look at both agents.')
        }
    },
  )
  print(trials, { mib, seed, json })
  if (!trials.every(keptACopy)) process.exitCode = 3
}

function print(
  trials: readonly CopyTrial[],
  { mib, seed, json }: { readonly mib: number; readonly seed: number; readonly json: boolean },
): void {
  if (json)
    return void process.stdout.write(`${JSON.stringify({ bench: 'copy', mib, seed, trials })}\n`)
  const head = ['fault', 'moments', 'in the copy', 'a valid copy', 'a pair again, p50', 'max']
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const fault of COPY_FAULT_NAMES) {
    const mine = trials.filter((trial) => trial.fault === fault)
    const times = mine.flatMap(({ paired }) => paired ?? [])
    const at = (percent: number): string =>
      times.length === 0 ? '-' : `${(percentile(times, percent) / 1000).toFixed(1)} s`
    table.push([
      fault,
      mine.length,
      mine.filter(({ inTime }) => inTime).length,
      mine.filter(keptACopy).length,
      at(50),
      at(100),
    ])
  }
  process.stdout.write(`copies of ${mib} MiB, seed ${seed}\n${table.toString()}\n`)
}
