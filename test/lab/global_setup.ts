import { openLab, removeByName } from '../../lab/lab.ts'
import { progressOnStderr } from '../../lab/progress.ts'
import { forgetClaims, SUITE_LABS } from './suite_labs.ts'

/** The lab tier's hosts come up once, and leave nothing behind. */
export async function setup(): Promise<void> {
  forgetClaims()
  const onProgress = progressOnStderr()
  const labs = await Promise.all(
    SUITE_LABS.map((name) => openLab({ name, volatile: true, onProgress })),
  )
  for (const lab of labs) await lab.up()
  await labs[0]?.artefacts()
}

export async function teardown(): Promise<void> {
  for (const name of SUITE_LABS) await removeByName(name, progressOnStderr())
  forgetClaims()
}
