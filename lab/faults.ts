import { must } from './command.ts'
import type { LabObjects } from './names.ts'
import { faultRules } from './network.ts'
import { killUntilGone, processesWith } from './processes.ts'
import type { LabState } from './state.ts'

/** Makes the machine's packet rules what the state says. */
export async function applyFaults(
  objects: LabObjects,
  state: Pick<LabState, 'index' | 'cuts' | 'delays'>,
): Promise<void> {
  await must(['nft', '-f', '-'], { stdin: faultRules(objects, state.index, state) })
}

export async function stopDelays(objects: LabObjects): Promise<void> {
  await killUntilGone('the delays', () => processesWith(`tn-${objects.name}-delay`))
}
