import Table from 'cli-table3'
import { cutTrial, recovered, type CutTrial } from '../lab/cut_trial.ts'
import { openLab, removeByName } from '../lab/lab.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { converge, makeLaptop } from '../lab/twonode_process.ts'

const LAB_NAME = 'benchcut'

/** Every fifth trial starts from bare hosts, the others from hosts with the packages installed. */
const BARE_EVERY = 5
const FROM_BARE_MS = 20_000
const FROM_PACKAGES_MS = 9_000

export interface CutOptions {
  readonly runs: number
  readonly seed: number
  readonly json?: boolean
}

/** Cuts first converges at seeded moments, prints each trial, and exits 3 if one did not recover. */
export async function benchCut({
  runs,
  seed: first,
  json = false,
  stop,
}: CutOptions & { readonly stop: AbortSignal }): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  const trials: CutTrial[] = []
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    const from = await makeLaptop(lab, 'bench')
    await lab.reset()
    await converge(from, ['--tags', 'packages'])
    await lab.snapshot('packages')
    for (let seed = first; seed < first + runs; seed += 1) {
      const bare = seed % BARE_EVERY === 0
      await lab.reset(bare ? undefined : 'packages')
      const trial = await cutTrial(lab, from, {
        seed,
        withinMs: bare ? FROM_BARE_MS : FROM_PACKAGES_MS,
      })
      // A trial takes a command that failed for a cut of its own.
      stop.throwIfAborted()
      trials.push(trial)
      process.stderr.write(
        `seed ${seed}: ${trial.victim} of ${trial.host} at ${trial.atMs} ms: ${recovered(trial) ? 'recovered' : trial.words}\n`,
      )
    }
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
  print(trials, json)
  if (!trials.every(recovered)) process.exitCode = 3
}

function print(trials: readonly CutTrial[], json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify({ bench: 'cut', trials })}\n`)
  const table = new Table({
    head: ['victim', 'trials', 'recovered'],
    style: { head: [], border: [] },
  })
  for (const victim of new Set(trials.map((trial) => trial.victim))) {
    const mine = trials.filter((trial) => trial.victim === victim)
    table.push([victim, mine.length, mine.filter(recovered).length])
  }
  process.stdout.write(`${table.toString()}\n`)
}
