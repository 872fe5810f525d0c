import { must, run } from '../command.ts'
import type { Progress } from '../progress.ts'
import { chooseAccelerator } from './accelerator.ts'
import { debianBox, type Box } from './box.ts'

/** Vagrant knows a box by name; one of the same name has the same content. */
export function knowsBox(list: string, name: string): boolean {
  return list.split('\n').some((line) => line.split(' ')[0] === name)
}

/** The box, built if need be, and known to Vagrant. */
async function addedBox(progress: Progress): Promise<Box> {
  const box = await debianBox(progress)
  const { stdout } = await run(['vagrant', 'box', 'list'])
  if (!knowsBox(stdout, box.name))
    await must(['vagrant', 'box', 'add', '--name', box.name, box.file], { timeoutMs: 300_000 })
  return box
}

/** The Vagrantfile's variables on this machine, and why they are these. */
export async function forVagrant(
  progress: Progress,
): Promise<{ readonly variables: string; readonly why: string }> {
  const box = await addedBox(progress)
  const { accelerator, why } = await chooseAccelerator(box.kernel)
  return { variables: `TWONODE_BOX=${box.name} TWONODE_VM_DRIVER=${accelerator}`, why }
}
