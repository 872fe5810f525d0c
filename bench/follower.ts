import Table from 'cli-table3'
import { followerTrial, type FollowerTrial } from '../lab/follower_trial.ts'
import { seeded } from '../lab/seed.ts'
import { adminCredentials } from '../lab/writer_process.ts'
import { percentile } from './percentile.ts'
import { readyPair, withPair } from './ready_pair.ts'

const LAB_NAME = 'benchfol'

/** kine ends itself when a compaction's commit waits for 5 s, and k3s gives up at 10. @unit milliseconds */
const LONGEST_STALL_MS = 5_000

/** Cuts the follower's power again and again under 50 writes a second, and measures the leader's stall. */
export async function benchFollower({
  runs,
  seed,
  json = false,
}: {
  runs: number
  seed: number
  json?: boolean
}): Promise<void> {
  const trials: FollowerTrial[] = []
  await withPair(
    LAB_NAME,
    () => ({}),
    async (lab) => {
      const credentials = await adminCredentials(lab, 'h1')
      const random = seeded(seed)
      for (let run = 1; run <= runs; run += 1) {
        const leader = await readyPair(lab)
        // Where in the agents' second, and in the writer's write, the power goes is the trial's input.
        const writeForMs = 2_000 + Math.floor(random() * 2_000)
        const trial = await followerTrial(lab, { run, leader, credentials, writeForMs })
        trials.push(trial)
        process.stderr.write(`run ${run} of ${runs}: ${JSON.stringify(trial)}\n`)
      }
    },
  )
  print(trials, { seed, json })
  if (!trials.every(isGood)) process.exitCode = 3
}

/** A stall that the leader's Kubernetes did not notice, and nothing lost. */
export function isGood({ stall, paired, exits, lost }: FollowerTrial): boolean {
  const seen = stall !== undefined && paired !== undefined
  return seen && stall <= LONGEST_STALL_MS && exits.length === 0 && lost === 0
}

function print(
  trials: readonly FollowerTrial[],
  { seed, json }: { readonly seed: number; readonly json: boolean },
): void {
  if (json) {
    const all = { bench: 'follower', runs: trials.length, seed, trials }
    return void process.stdout.write(`${JSON.stringify(all)}\n`)
  }
  const head = ['', 'seen', 'p50', 'p95', 'max', 'bar']
  const table = new Table({ head, style: { head: [], border: [] } })
  const rows = [
    ['longest stall of a write', trials.flatMap(({ stall }) => stall ?? []), 'max ≤ 5.00 s'],
    ['a pair again, from power on', trials.flatMap(({ paired }) => paired ?? []), ''],
  ] as const
  for (const [name, values, bar] of rows) {
    const at = (percent: number): string =>
      values.length === 0 ? '-' : `${(percentile(values, percent) / 1000).toFixed(2)} s`
    table.push([name, `${values.length} of ${trials.length}`, at(50), at(95), at(100), bar])
  }
  const exits = trials.flatMap((trial) => trial.exits)
  const lost = trials.reduce((sum, trial) => sum + trial.lost, 0)
  const rate = percentile(
    trials.map(({ writesPerSecond }) => writesPerSecond),
    50,
  )
  process.stdout.write(
    `${trials.length} power cuts of the follower, seed ${seed}, under ${rate} writes a second\n` +
      `${table.toString()}\n` +
      `parts of Kubernetes that ended on the leader: ${exits.length === 0 ? 'none' : exits.join('; ')}\n` +
      `acknowledged writes lost: ${lost}\n`,
  )
}
