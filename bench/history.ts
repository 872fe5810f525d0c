import { HISTORY_FAULT_NAMES, type HistoryFaultName } from '../lab/history_faults.ts'
import { isLinearizable, startRecorder } from '../lab/history_recorder.ts'
import { historyTrial } from '../lab/history_trial.ts'
import type { Lab } from '../lab/lab.ts'
import { HOST_NAMES, peerOf } from '../lab/names.ts'
import { seeded } from '../lab/seed.ts'
import type { SiteSettings } from '../lab/twonode_process.ts'
import { watchProblems, watchVerdict } from '../lab/watch_log.ts'
import { endWitnesses, labWitness } from '../lab/witness.ts'
import { adminCredentials, startWriter } from '../lab/writer_process.ts'
import { mayPromote, readyPair, withPair } from './ready_pair.ts'

const LAB_NAME = 'benchhis'

/**
 * Records the compare-and-swaps of a client at each API server on one object under random faults, and has
 * porcupine say whether they are linearizable: under `partition: consistency`, which alone promises it.
 * Beside them a writer on each host watches its object, and may miss no event of it, nor see one twice.
 */
export async function benchHistory({
  faults,
  seed,
  json = false,
}: {
  faults: number
  seed: number
  json?: boolean
}): Promise<void> {
  const random = seeded(seed)
  const drawn = Array.from({ length: faults }, () => draw(random))
  await withPair(LAB_NAME, consistency, async (lab) => {
    const credentials = await adminCredentials(lab, 'h1')
    await readyPair(lab)
    const writers = await Promise.all(
      HOST_NAMES.map((to) => startWriter(lab, { name: `watch-${to}`, to, credentials })),
    )
    const recorder = await startRecorder(lab, { name: 'history', credentials })
    for (const [index, fault] of drawn.entries()) {
      const leader = await readyPair(lab)
      await mayPromote(lab, peerOf(leader))
      process.stderr.write(`fault ${index + 1} of ${faults}: ${fault}, ${leader} leads\n`)
      await historyTrial(lab, { fault, leader, recorder })
    }
    const swaps = await recorder.stop()
    const linearizable = await isLinearizable(swaps)
    const logs = await Promise.all(writers.map((writer) => writer.stop()))
    const watches = logs.flatMap(watchProblems)
    const relists = logs.reduce((sum, log) => sum + watchVerdict(log).lists, 0)
    const unknown = swaps.filter(({ outcome }) => outcome === 'unknown').length
    const all = {
      bench: 'history',
      seed,
      faults: drawn,
      swaps: swaps.length,
      unknown,
      linearizable,
      watches,
      relists,
    }
    process.stdout.write(
      json
        ? `${JSON.stringify(all)}\n`
        : `${faults} faults, seed ${seed}; ${swaps.length - unknown} swaps acknowledged, ${unknown} unknown\n` +
            `${linearizable ? 'linearizable' : 'NOT linearizable'}, says porcupine\n` +
            `events that a watch lost or repeated: ${watches.length} (${relists} lists anew)\n` +
            watches.map((problem) => `  ${problem}\n`).join(''),
    )
    if (!linearizable || watches.length > 0) process.exitCode = 3
  }).finally(endWitnesses)
}

/** The lab's machine is the third one, which keeps the claim. */
async function consistency(lab: Lab): Promise<SiteSettings> {
  const witness = await labWitness(lab, { token: false })
  await witness.start()
  const { url, ca } = witness
  return { partition: 'consistency', witness: { http: { url, ca } } }
}

function draw(random: () => number): HistoryFaultName {
  const index = Math.floor(random() * HISTORY_FAULT_NAMES.length)
  return HISTORY_FAULT_NAMES[index] ?? 'power of the leader'
}
