import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { baseImage } from './base.ts'
import { cacheEntry, cacheRoot, recipeHash } from './cache.ts'
import { must } from './command.ts'
import { hostRoot } from './disks.ts'
import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import { HOST_NAMES } from './names.ts'
import { debianRepository, writeIndex } from './repository.ts'

/** The server, whose maintainer scripts stop and start it, its client and library, and a package with settings. */
const NEWER = ['postgresql-15', 'postgresql-client-15', 'libpq5', 'netbase']

/** Behind each version: dpkg takes it for a newer one. */
export const NEWER_MARK = '+newer1'

/** A file of netbase's that its newer package has changed, and that the hosts have changed themselves. */
const SETTINGS = 'etc/protocols'
export const OWN_SETTING = '# the host has changed it'

/** Raised when packages are changed otherwise. */
const RECIPE_VERSION = 1

/**
 * Both hosts' apt finds newer packages, on a disk of theirs: the same programs and maintainer scripts,
 * by another version.
 */
export async function offerNewerPackages(lab: Lab): Promise<void> {
  const packages = await newerPackages()
  for (const host of HOST_NAMES) {
    const root = hostRoot(lab.name, host)
    await cp(packages, join(root, 'srv/newer'), { recursive: true })
    await mkdir(join(root, 'etc/apt/sources.list.d'), { recursive: true })
    const list = 'deb [trusted=yes] file:/srv/newer ./\n'
    await writeFile(join(root, 'etc/apt/sources.list.d/newer.list'), list)
    await appendFile(join(root, SETTINGS), `${OWN_SETTING}\n`)
  }
}

async function newerPackages(): Promise<string> {
  const from = await debianRepository(await baseImage(false))
  const id = recipeHash({ from, NEWER, NEWER_MARK, RECIPE_VERSION })
  return await cacheEntry(join(cacheRoot(), `debs-newer-${id}`), async (directory) => {
    const files = await readdir(from)
    for (const name of NEWER) {
      const file = files.find((one) => one.startsWith(`${name}_`))
      if (file === undefined) throw new LabError(`the hosts have no ${name}`, 'See repository.ts.')
      await makeNewer(join(from, file), join(directory, file))
    }
    await writeIndex(directory)
  })
}

async function makeNewer(from: string, to: string): Promise<void> {
  const tree = `${to}.tree`
  await must(['dpkg-deb', '--raw-extract', from, tree])
  const control = join(tree, 'DEBIAN/control')
  const text = await readFile(control, 'utf8')
  await writeFile(control, text.replace(/^Version: .*$/m, `$&${NEWER_MARK}`))
  if (from.includes('/netbase_')) await appendFile(join(tree, SETTINGS), '# newer\n')
  await must(['dpkg-deb', '-Zzstd', '-z3', '--build', tree, to])
  await rm(tree, { recursive: true })
}
