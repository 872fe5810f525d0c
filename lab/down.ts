import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import { removeUnmounted, unmountBelow } from './disks.ts'
import { cutPower } from './hosts.ts'
import { LabError } from './lab_error.ts'
import { leftovers, NSPAWN_DIRECTORIES } from './leftovers.ts'
import { HOST_NAMES, labObjects, type LabObjects } from './names.ts'
import { networkDown, networkFacts, runAll } from './network.ts'
import { killUntilGone, processesWith, removeCgroups } from './processes.ts'
import { timed, type Progress } from './progress.ts'
import { serverMark } from './repository.ts'
import { labDirectory, lockLab } from './state.ts'

/** Removes everything of a lab, by its name alone, and checks that nothing is left. */
export async function removeLab(objects: LabObjects): Promise<void> {
  for (const host of HOST_NAMES) await cutPower(objects.hosts[host])
  await killUntilGone('the repository server', () => processesWith(serverMark(objects)))
  for (const host of HOST_NAMES) await removeCgroups(objects.hosts[host])
  await unmountBelow(labDirectory(objects.name))
  await runAll(networkDown(objects, await networkFacts()))
  await run(['nft', 'delete', 'table', 'bridge', objects.nftTable])
  for (const host of HOST_NAMES)
    for (const directory of NSPAWN_DIRECTORIES)
      await removeUnmounted(join(directory, objects.hosts[host].machine))
  await unmountNamespaces()
  await removeUnmounted(labDirectory(objects.name))
  const left = await leftovers(objects)
  if (left.length > 0)
    throw new LabError(
      `lab '${objects.name}' left behind:\n  ${left.join('\n  ')}`,
      'Run `npm run lab -- down` again; if it stays, something else on the machine uses it.',
    )
}

/** `ip netns add` mounts /run/netns on itself: with the last namespace that goes too. */
async function unmountNamespaces(): Promise<void> {
  const names = await readdir('/run/netns').catch(() => undefined)
  if (names?.length !== 0) return
  const ended = await run(['umount', '/run/netns'])
  if (ended.code === 0) await rmdir('/run/netns').catch(() => undefined)
}

/** Removes a lab by its name alone, however broken it is. */
export async function removeByName(name: string, progress: Progress): Promise<void> {
  const objects = labObjects(name)
  await lockLab(name, () => timed(progress, `down ${name}`, () => removeLab(objects)))
}
