import { openLab, removeByName } from '../../lab/lab.ts'
import { progressOnStderr } from '../../lab/progress.ts'
import { LAB_NAME } from './pair.ts'

/** The lab tier's hosts come up once, and leave nothing behind. */
export async function setup(): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  await Promise.all([lab.up(), lab.artefacts()])
}

export async function teardown(): Promise<void> {
  await removeByName(LAB_NAME, progressOnStderr())
}
