import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import type { Registry } from '../core/module.ts'
import type { CustomModule } from '../core/plan.ts'
import { loadCustomModule } from '../plan/custom_modules.ts'
import { locate } from './secret_values.ts'
import type { World } from './world.ts'

const NAME = /^[a-z][a-z0-9_]*$/

/** More files than this in one folder are something else than modules. */
const MOST_MODULES = 100

/**
 * The modules beside a playbook: `modules/<name>.mjs`, each a file of its own that travels with the
 * plan. They are loaded here once, so that a broken one is refused before any connection.
 */
export async function findCustomModules(
  playbook: string,
  registry: Registry,
  world: World,
): Promise<readonly CustomModule[]> {
  const folder = join(dirname(playbook), 'modules')
  const names = world.files.list(locate(folder, world)) ?? []
  const files = names.filter((name) => name.endsWith('.mjs')).slice(0, MOST_MODULES)
  return await Promise.all(files.map((name) => readModule(join(folder, name), registry, world)))
}

async function readModule(file: string, registry: Registry, world: World): Promise<CustomModule> {
  const name = basename(file, '.mjs')
  const place = { file, line: 1, column: 1 }
  if (!NAME.test(name))
    throw new TwonodeError('E_PLAYBOOK', `${name} is no name for a module`, {
      place,
      hint: 'Lower-case letters, digits and underscores: my_module.mjs.',
    })
  if (registry.has(name))
    throw new TwonodeError('E_PLAYBOOK', `there is a module ${name} already`, {
      place,
      hint: 'Give your own another name.',
    })
  const source = world.files.read(locate(file, world)) ?? ''
  const { schema } = await loadCustomModule(name, source, file)
  return { name, sha256: createHash('sha256').update(source).digest('hex'), source, schema }
}
