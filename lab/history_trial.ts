import type { Lab } from './lab.ts'
import { faultOf, type HistoryFaultName } from './history_faults.ts'
import type { Recorder } from './history_recorder.ts'
import { peerOf, type HostName } from './names.ts'
import { arePaired, metaOf } from './pair_view.ts'
import { until } from './wait.ts'

/** Bounds of what is waited for. @unit milliseconds */
const MOVED_TIMEOUT_MS = 40_000
const PAIRED_TIMEOUT_MS = 120_000

/** So many swaps are acknowledged before a fault, during it, and when it is over: a fault that strikes nobody shows nothing. */
const SWAPS = 20

/** One fault under both clients; the pair is whole again, and acknowledges, when it ends. */
export async function historyTrial(
  lab: Lab,
  orders: {
    readonly fault: HistoryFaultName
    readonly leader: HostName
    readonly recorder: Recorder
  },
): Promise<void> {
  const { fault, leader, recorder } = orders
  const { strike, mend, moves } = faultOf(fault)
  await acknowledges(recorder)
  await strike(lab, leader)
  const other = peerOf(leader)
  const moved = (): true | undefined => metaOf(lab, other)?.leader === other || undefined
  if (moves === true) await until(`${other} to lead`, moved, { timeoutMs: MOVED_TIMEOUT_MS })
  await acknowledges(recorder)
  await mend?.(lab, leader)
  const paired = (): true | undefined => arePaired(lab) || undefined
  await until('the pair to be one again', paired, { timeoutMs: PAIRED_TIMEOUT_MS })
  await acknowledges(recorder)
}

/** {@link SWAPS} that were begun from now on. */
async function acknowledges({ swaps }: Recorder): Promise<void> {
  const from = performance.now() * 1_000
  const found = (): true | undefined =>
    swaps.filter(({ outcome, call }) => outcome === 'ok' && call >= from).length >= SWAPS ||
    undefined
  await until(`${SWAPS} acknowledged swaps`, found, { timeoutMs: MOVED_TIMEOUT_MS })
}
