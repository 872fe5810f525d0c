import { setTimeout as pause } from 'node:timers/promises'
import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { HOST_NAMES, peerOf, type HostName } from '../lab/names.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { seeded } from '../lab/seed.ts'
import { converge, explain, makeLaptop } from '../lab/twonode_process.ts'
import { countAnew, kubernetesServes } from '../lab/trial_pair.ts'
import { until } from '../lab/wait.ts'
import { agentStatus, arePaired, metaOf } from '../lab/pair_view.ts'
import { adminCredentials } from '../lab/writer_process.ts'
import { failoverTrial, type FailoverTrial } from '../lab/failover_trial.ts'
import { meetsBars, printFailovers } from './failover_report.ts'

const LAB_NAME = 'benchfo'

/** A pair that was just converged, or healed, is paired within this. @unit milliseconds */
const PAIRED_TIMEOUT_MS = 60_000

/** k3s starts in 5 s where nothing else runs. @unit milliseconds */
const KUBERNETES_TIMEOUT_MS = 180_000

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
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  const trials: FailoverTrial[] = []
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const timing = interval === undefined ? {} : { liveness: { interval } }
    const first = await converge(await makeLaptop(lab, 'bench', timing))
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    const credentials = await adminCredentials(lab, 'h1')
    const random = seeded(seed)
    for (let run = 1; run <= runs; run += 1) {
      const victim = await pairedLeader(lab)
      await kubernetesServes(lab, KUBERNETES_TIMEOUT_MS)
      await countAnew(lab)
      await mayPromote(lab, peerOf(victim))
      // Where in the agents' second, and in the writer's write, the power goes is the trial's input.
      await pause(1_000 + Math.floor(random() * 2_000))
      const trial = await failoverTrial(lab, { run, victim, credentials })
      trials.push(trial)
      process.stderr.write(`run ${run} of ${runs}: ${JSON.stringify(trial)}\n`)
    }
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
  printFailovers(trials, { seed, json })
  if (!meetsBars(trials)) process.exitCode = 3
}

/** A proof on the disk is renewed by the leader's word: an agent that was just started has not heard it (A3). */
async function mayPromote(lab: Lab, follower: HostName): Promise<void> {
  await until(
    `${follower} to be promotable`,
    async () => (await agentStatus(lab, follower))['promotable'] === true || undefined,
    { timeoutMs: PAIRED_TIMEOUT_MS, everyMs: 200 },
  )
}

/** Waits until both hosts say paired, and gives who leads. */
async function pairedLeader(lab: Lab): Promise<HostName> {
  return await until(
    'the pair to be paired',
    () => {
      if (!arePaired(lab)) return undefined
      return HOST_NAMES.find((host) => metaOf(lab, host)?.leader === host)
    },
    { timeoutMs: PAIRED_TIMEOUT_MS },
  )
}
