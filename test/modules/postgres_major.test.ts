import { expect, test } from 'vitest'
import { postgresMajor } from '../../modules/postgres_major.ts'
import { ownClusters, servingMajor, startWord } from '../../modules/parts/postgres_clusters.ts'
import type { UnitState } from '../../src/core/host.ts'
import { createSimulatedHost, type Disk, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'
import { STOPPED_UNIT } from '../support/stopped_unit.ts'

moduleCases(postgresMajor)

const DONE = { code: 0, stdout: '', stderr: '' }

/** Clusters by version: whether they have our settings, and the word of their start.conf. */
type Clusters = Readonly<Record<number, { readonly ours: boolean; readonly start: string }>>

const file = (content: string) =>
  ({ kind: 'file', content, mode: 0o644, owner: 'postgres', group: 'postgres' }) as const

function diskOf(clusters: Clusters): Disk {
  const folders = Object.keys(clusters).flatMap((version) => [
    `/etc/postgresql/${version}`,
    `/etc/postgresql/${version}/main`,
    `/etc/postgresql/${version}/main/conf.d`,
  ])
  const disk = diskWith('/etc/postgresql', ...folders)
  for (const [version, { ours, start }] of Object.entries(clusters)) {
    const folder = `/etc/postgresql/${version}/main`
    disk.set(`${folder}/start.conf`, file(`# Automatic startup\n\n${start}\n`))
    if (ours) disk.set(`${folder}/conf.d/twonode.conf`, file("port = '5432'\n"))
  }
  return disk
}

/** A host on which the cluster of 15 runs. */
function machine(clusters: Clusters): LawWorld {
  const unit = 'postgresql@15-main.service'
  const units: Record<string, UnitState> = {
    [unit]: { ...STOPPED_UNIT, active: 'active' },
    'postgresql@17-main.service': STOPPED_UNIT,
  }
  const host = createSimulatedHost({
    name: 'h2',
    disk: diskOf(clusters),
    units,
    exec: (argv) => {
      if (argv.join(' ') === `systemctl stop ${unit}`) units[unit] = STOPPED_UNIT
      return DONE
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

moduleLaws(
  postgresMajor,
  async () => machine({ 15: { ours: true, start: 'auto' }, 17: { ours: true, start: 'disabled' } }),
  [{ title: 'over to 17', args: { version: 17, over_to: 17, leads: false } }],
)

const served = async (clusters: Clusters) => servingMajor(await ownClusters(machine(clusters).host))

test('the cluster that serves is the newest of ours that starts with the host', async () => {
  const [ours, theirs] = [{ ours: true }, { ours: false }]
  expect(await served({})).toBeUndefined()
  expect(await served({ 15: { ...ours, start: 'auto' } })).toBe(15)
  expect(await served({ 15: { ...ours, start: 'auto' }, 17: { ...theirs, start: 'auto' } })).toBe(
    15,
  )
  expect(await served({ 15: { ...ours, start: 'disabled' }, 17: { ...ours, start: 'auto' } })).toBe(
    17,
  )
  expect(await served({ 15: { ...ours, start: 'disabled' } }), 'cut in between').toBeUndefined()
  expect(startWord(undefined)).toBe('auto')
})
