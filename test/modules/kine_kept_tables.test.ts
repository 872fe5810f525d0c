import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { contentReader } from '../../src/agent/salvage/content.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { kineKeptTables } from '../../modules/kine_kept_tables.ts'
import { moduleCases } from '../support/module_cases.ts'
import {
  type Bench,
  converge,
  kineWrites,
  makeKine,
  plan,
  startBench,
  step,
} from '../support/postgres_bench.ts'

let h1: Bench
let directory: string
beforeAll(async () => {
  h1 = await startBench()
  await makeKine(h1.host)
})
afterAll(async () => {
  await h1.close()
})
beforeEach(async () => {
  directory = await mkdtemp('/tmp/twonode-kept-')
})
afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
  for (const schema of await schemas()) await h1.server.sql('kine', `drop schema ${schema} cascade`)
})

moduleCases(kineKeptTables)

const schemas = async () =>
  (
    await h1.server.sql<{ name: string }>(
      'kine',
      "select nspname as name from pg_namespace where nspname like 'twonode\\_branch\\_%' order by oid",
    )
  ).map(({ name }) => name)

async function kept(name: string, manifest?: object, settled?: string): Promise<void> {
  await h1.server.sql('kine', `create schema twonode_branch_${name}`)
  await h1.server.sql('kine', `create table twonode_branch_${name}.kine (id bigint)`)
  if (manifest === undefined) return
  await mkdir(join(directory, name))
  await writeFile(join(directory, name, 'manifest.json'), JSON.stringify(manifest))
  if (settled !== undefined)
    await writeFile(join(directory, name, 'settled.json'), JSON.stringify({ kind: settled }))
}

async function verified(): Promise<void> {
  const [row] = await h1.server.sql<{ oid: string }>(
    'kine',
    "select 'public.kine'::regclass::oid as oid",
  )
  await writeFile(join(directory, 'verified.json'), JSON.stringify({ table: Number(row?.oid) }))
}

const WHOLE = { exact: true, missing: null }
const args = () => ({ database: 'kine', directory, keep: 1 })

test('A2: no old table goes before the copy in its place is known to be the leader’s content', async () => {
  await kept('1_10', WHOLE, 'replayed')
  await kept('2_20', WHOLE, 'replayed')
  expect(await plan(h1.host, step('kine_kept_tables', args()))).toEqual([])
  await writeFile(join(directory, 'verified.json'), '{"table":1}')
  expect(await plan(h1.host, step('kine_kept_tables', args()))).toEqual([])
  await verified()
  await converge(h1.host, 'kine_kept_tables', args())
  expect(await schemas()).toEqual([])
})

test('what is settled goes, what is beyond the number goes if all of it was saved, the rest stays', async () => {
  await kept('1_10')
  await kept('2_20', { exact: false, missing: null })
  await kept('3_30', { exact: true, missing: 'values' })
  await kept('4_40', WHOLE)
  await kept('5_50', WHOLE, 'discarded')
  await kept('6_60', WHOLE)
  await verified()
  await converge(h1.host, 'kine_kept_tables', args())
  const left = [
    'twonode_branch_1_10',
    'twonode_branch_2_20',
    'twonode_branch_3_30',
    'twonode_branch_6_60',
  ]
  expect(await schemas()).toEqual(left)
  expect(await plan(h1.host, step('kine_kept_tables', args()))).toEqual([])
})

test('what was replayed of a branch that was not saved whole is no reason to drop its table; that it was discarded is', async () => {
  await kept('1_10', { exact: true, missing: '312 changes are not listed' }, 'replayed')
  await kept('2_20', { exact: false, missing: null }, 'replayed')
  await kept('3_30', { exact: false, missing: null }, 'discarded')
  await verified()
  await converge(h1.host, 'kine_kept_tables', args())
  expect(await schemas()).toEqual(['twonode_branch_1_10', 'twonode_branch_2_20'])
})

test('the content of a table is the same before and after a compaction, and not at another revision', async () => {
  const { socketDirectory, port } = h1.server
  const read = contentReader('kine', () =>
    createLocalHost({ name: 'h1', digestsPath: null, socketDirectory, port }),
  )
  await h1.server.sql('kine', 'truncate kine')
  await kineWrites(h1.server, 'compact_rev_key', '')
  const old = await kineWrites(h1.server, '/a', 'one')
  const revision = await kineWrites(h1.server, '/a', 'two')
  const then = await read(null)
  expect(then).toEqual({ revision, digest: expect.stringMatching(/^1:/) })
  const later = await kineWrites(h1.server, '/b', 'three')
  expect(await read(revision)).toEqual(then)
  expect((await read(later))?.digest).not.toBe(then?.digest)
  await h1.server.sql('kine', `delete from kine where id = ${old}`)
  await h1.server.sql(
    'kine',
    `update kine set prev_revision = ${revision} where name = 'compact_rev_key'`,
  )
  expect(await read(revision)).toEqual(then)
  // Beyond its compaction nobody can tell, and what is still to come neither.
  await h1.server.sql(
    'kine',
    `update kine set prev_revision = ${later} where name = 'compact_rev_key'`,
  )
  expect(await read(revision)).toBeNull()
  expect(await read(later + 1)).toBeNull()
})
