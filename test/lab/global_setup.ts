import { openLab, removeByName } from '../../lab/lab.ts'
import { progressOnStderr } from '../../lab/progress.ts'
import { readState } from '../../lab/state.ts'
import { forgetClaims, SUITE_LABS } from './suite_labs.ts'

/** A developer's own lab that was up before the tests stays up: its snapshots save minutes. */
const kept: string[] = []

/**
 * The lab tier's hosts come up once, and leave nothing behind. The unit tests run while kine and the
 * stand-in are built; the first laptop of a lab waits for them.
 */
export async function setup(): Promise<void> {
  forgetClaims()
  const own = process.env['TWONODE_TEST_LAB']
  if (own !== undefined && (await readState(own)) !== undefined) kept.push(own)
  const onProgress = progressOnStderr()
  const labs = await Promise.all(
    // Kills of processes lose no page of the machine's memory: fsync would cost time and tell nothing.
    SUITE_LABS.map((name) => openLab({ name, volatile: true, onProgress })),
  )
  for (const lab of labs) await lab.up()
}

export async function teardown(): Promise<void> {
  for (const name of SUITE_LABS)
    if (!kept.includes(name)) await removeByName(name, progressOnStderr())
  forgetClaims()
}
