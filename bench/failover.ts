import { setTimeout as pause } from 'node:timers/promises'
import { peerOf } from '../lab/names.ts'
import { seeded } from '../lab/seed.ts'
import { adminCredentials } from '../lab/writer_process.ts'
import { failoverTrial, type FailoverTrial } from '../lab/failover_trial.ts'
import { meetsBars, printFailovers } from './failover_report.ts'
import { mayPromote, readyPair, withPair } from './ready_pair.ts'

const LAB_NAME = 'benchfo'

/**
 * Cuts the power of the leader again and again, at seeded moments, and measures from there. The host that
 * died comes back and follows; the next to die is the other one.
 */
export async function benchFailover({
  runs,
  seed,
  interval,
  json = false,
}: {
  runs: number
  seed: number
  interval?: string
  json?: boolean
}): Promise<void> {
  const trials: FailoverTrial[] = []
  const timing = interval === undefined ? {} : { liveness: { interval } }
  await withPair(
    LAB_NAME,
    () => timing,
    async (lab) => {
      const credentials = await adminCredentials(lab, 'h1')
      const random = seeded(seed)
      for (let run = 1; run <= runs; run += 1) {
        const victim = await readyPair(lab)
        await mayPromote(lab, peerOf(victim))
        // Where in the agents' second, and in the writer's write, the power goes is the trial's input.
        await pause(1_000 + Math.floor(random() * 2_000))
        const trial = await failoverTrial(lab, { run, victim, credentials })
        trials.push(trial)
        process.stderr.write(`run ${run} of ${runs}: ${JSON.stringify(trial)}\n`)
      }
    },
  )
  printFailovers(trials, { seed, json })
  if (!meetsBars(trials)) process.exitCode = 3
}
