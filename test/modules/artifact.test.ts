import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { artifact } from '../../modules/artifact.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(artifact)

const BINARY = '#!/bin/true\n'
const BINARY_SHA256 = createHash('sha256').update(BINARY).digest('hex')

moduleLaws(
  artifact,
  () =>
    localWorld(async (_, root) => {
      await mkdir(join(root, 'bin'))
      await writeFile(join(root, 'source'), BINARY)
      await writeFile(join(root, 'bin/old'), 'another one')
      return {}
    }),
  [
    {
      title: 'a binary that is on the host',
      args: { path: 'ROOT/bin/new', source: { host_path: 'ROOT/source' }, sha256: BINARY_SHA256 },
    },
    {
      title: 'in the place of another',
      args: { path: 'ROOT/bin/old', source: { host_path: 'ROOT/source', sha256: BINARY_SHA256 } },
    },
  ],
)

/** The same bytes each time: the checksum is known before the world is made. */
function makeArchive(folder: string): Promise<void> {
  const options = ['--sort=name', '--owner=0', '--group=0', '--mtime=@0', '--format=ustar']
  execFileSync('tar', [...options, '-C', folder, '-cf', join(folder, 'a.tar'), 'source'])
  return Promise.resolve()
}

const archiveSha256 = await (async () => {
  const world = await localWorld()
  await writeFile(join(world.root, 'source'), BINARY, { mode: 0o755 })
  await makeArchive(world.root)
  const digest = await world.host.digest(join(world.root, 'a.tar'))
  await world.dispose()
  return digest ?? ''
})()

moduleLaws(
  artifact,
  () =>
    localWorld(async (_, root) => {
      await writeFile(join(root, 'source'), BINARY, { mode: 0o755 })
      await makeArchive(root)
      return {}
    }),
  [
    {
      title: 'a file of an archive',
      args: {
        path: 'ROOT/installed',
        source: { host_path: 'ROOT/a.tar' },
        sha256: archiveSha256,
        member: 'source',
        member_sha256: BINARY_SHA256,
      },
    },
  ],
)
