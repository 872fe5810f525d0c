import { setTimeout as pause } from 'node:timers/promises'
import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { HOST_NAMES, peerOf, type HostName } from '../lab/names.ts'
import { agentStatus, arePaired, metaOf } from '../lab/pair_view.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { seeded } from '../lab/seed.ts'
import { switchoverTrial, type SwitchoverTrial } from '../lab/switchover_trial.ts'
import { countAnew, kubernetesServes } from '../lab/trial_pair.ts'
import { converge, explain, makeLaptop } from '../lab/twonode_process.ts'
import { until } from '../lab/wait.ts'
import { watchVerdict } from '../lab/watch_log.ts'
import { adminCredentials, startWriter, verdict, type Writer } from '../lab/writer_process.ts'
import { meetsBars, printSwitchovers, type WriterVerdict } from './switchover_report.ts'

const LAB_NAME = 'benchso'

/** @unit milliseconds */
const PAIRED_TIMEOUT_MS = 60_000
const KUBERNETES_TIMEOUT_MS = 180_000

/** Hands the lead over, again and again, under a writer and a raw watch on each API server. */
export async function benchSwitchover({
  runs,
  seed,
  json = false,
}: {
  runs: number
  seed: number
  json?: boolean
}): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  const trials: SwitchoverTrial[] = []
  let writers: readonly WriterVerdict[]
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const first = await converge(await makeLaptop(lab, 'bench'))
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    await kubernetesServes(lab, KUBERNETES_TIMEOUT_MS)
    const credentials = await adminCredentials(lab, 'h1')
    const started: Record<HostName, Writer> = {
      h1: await startWriter(lab, { name: 'at-h1', to: 'h1', credentials }),
      h2: await startWriter(lab, { name: 'at-h2', to: 'h2', credentials }),
    }
    const random = seeded(seed)
    for (let run = 1; run <= runs; run += 1) {
      const from = await readyLeader(lab)
      await countAnew(lab)
      // Where in the agents' second, and in the writers' writes, it is asked for is the trial's input.
      await pause(1_000 + Math.floor(random() * 2_000))
      const trial = await switchoverTrial(lab, { run, from, writers: started })
      trials.push(trial)
      process.stderr.write(`run ${run} of ${runs}: ${JSON.stringify(trial)}\n`)
    }
    const at = await readyLeader(lab)
    writers = await Promise.all(
      HOST_NAMES.map(async (host) => {
        const log = await started[host].stop()
        const { lost, regressions, acknowledged } = await verdict(
          lab,
          { name: started[host].name, log, credentials },
          at,
        )
        return { host, lost: lost.length, regressions, acknowledged, ...watchVerdict(log) }
      }),
    )
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
  printSwitchovers(trials, { seed, json, writers })
  if (!meetsBars(trials, writers)) process.exitCode = 3
}

/** Waits until the pair is paired and its follower could lead, and gives who leads. */
async function readyLeader(lab: Lab): Promise<HostName> {
  return await until(
    'a pair whose follower is promotable',
    async () => {
      if (!arePaired(lab)) return undefined
      const leader = HOST_NAMES.find((host) => metaOf(lab, host)?.leader === host)
      if (leader === undefined) return undefined
      const { promotable, settled } = await agentStatus(lab, peerOf(leader))
      return promotable === true && settled === 'yes' ? leader : undefined
    },
    { timeoutMs: PAIRED_TIMEOUT_MS, everyMs: 200 },
  )
}
