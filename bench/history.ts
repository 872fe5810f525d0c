import { HISTORY_FAULT_NAMES, type HistoryFaultName } from '../lab/history_faults.ts'
import { isLinearizable, startRecorder } from '../lab/history_recorder.ts'
import { historyTrial } from '../lab/history_trial.ts'
import { peerOf } from '../lab/names.ts'
import { seeded } from '../lab/seed.ts'
import { adminCredentials } from '../lab/writer_process.ts'
import { mayPromote, readyPair, withPair } from './ready_pair.ts'

const LAB_NAME = 'benchhis'

/**
 * Records the compare-and-swaps of a client at each API server on one object under random faults, and has
 * porcupine say whether they are linearizable.
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
  await withPair(LAB_NAME, {}, async (lab) => {
    const credentials = await adminCredentials(lab, 'h1')
    await readyPair(lab)
    const recorder = await startRecorder(lab, { name: 'history', credentials })
    for (const [index, fault] of drawn.entries()) {
      const leader = await readyPair(lab)
      await mayPromote(lab, peerOf(leader))
      process.stderr.write(`fault ${index + 1} of ${faults}: ${fault}, ${leader} leads\n`)
      await historyTrial(lab, { fault, leader, recorder })
    }
    const swaps = await recorder.stop()
    const linearizable = await isLinearizable(swaps)
    const unknown = swaps.filter(({ outcome }) => outcome === 'unknown').length
    const all = {
      bench: 'history',
      seed,
      faults: drawn,
      swaps: swaps.length,
      unknown,
      linearizable,
    }
    process.stdout.write(
      json
        ? `${JSON.stringify(all)}\n`
        : `${faults} faults, seed ${seed}; ${swaps.length - unknown} swaps acknowledged, ${unknown} unknown\n` +
            `${linearizable ? 'linearizable' : 'NOT linearizable'}, says porcupine\n`,
    )
    if (!linearizable) process.exitCode = 3
  })
}

function draw(random: () => number): HistoryFaultName {
  const index = Math.floor(random() * HISTORY_FAULT_NAMES.length)
  return HISTORY_FAULT_NAMES[index] ?? 'power of the leader'
}
