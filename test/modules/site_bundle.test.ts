import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { siteBundle } from '../../modules/site_bundle.ts'
import { describeChange } from '../../src/core/change.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(siteBundle)

const folder = await mkdtemp(join(tmpdir(), 'twonode-site-bundle-'))
const archive = join(folder, 'site.twonode')
await writeFile(join(folder, 'plan.json'), '{}\n')
execFileSync('tar', ['-C', folder, '-cf', archive, 'plan.json'])
const sha256 = createHash('sha256')
  .update(await readFile(archive))
  .digest('hex')

/** A host to which the archive is sent. */
const sender = createLocalHost({
  name: 'h1',
  digestsPath: null,
  blob: () => Promise.resolve(createReadStream(archive)),
})

const args = { root: 'ROOT/opt', source: { blob: 'site.twonode', sha256 } }

moduleLaws(
  siteBundle,
  () => localWorld(() => Promise.resolve({ install: sender.install.bind(sender) })),
  [{ title: 'the first one', args }],
)

moduleLaws(
  siteBundle,
  () =>
    localWorld(async (_, root) => {
      for (const name of ['before', 'long-ago', `.incoming.${sha256}`])
        await mkdir(join(root, 'opt/bundles', name), { recursive: true })
      await symlink('bundles/before', join(root, 'opt/site'))
      return { install: sender.install.bind(sender) }
    }),
  [{ title: 'beside others, after a cut', args }],
)

test('one that is kept does not travel again; the one before it stays, and no other', () => {
  const [before, longAgo] = ['b'.repeat(64), 'c'.repeat(64)]
  const stat = { mode: 0o777, uid: 0, gid: 0, owner: 'root', group: 'root', size: 0 }
  const site = { kind: 'link', target: `bundles/${before}`, ...stat } as const
  const kept = [sha256, before, longAgo, '.incoming.x']
  const state = { site, kept, hasRoot: true, hasFolder: true }
  const source = { blob: 'site.twonode', sha256 }
  const changes = siteBundle.diff(state, { root: '/opt/twonode', source, timeout: '1m' })
  expect(changes.map(describeChange)).toEqual([
    'link /opt/twonode/site to bundles/' + sha256,
    `remove /opt/twonode/bundles/${longAgo} and all below it`,
  ])
})
