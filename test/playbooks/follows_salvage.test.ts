import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { isObject, type JsonObject } from '../../src/core/json.ts'
import { evaluate } from '../../src/plan/expression.ts'
import { type Bench, converge, makeKine, result, startBench } from '../support/postgres_bench.ts'

// h1 led branch 1; h2 was promoted, stands alone with a tight disk, and has let h1 go: there is no slot.
let h1: Bench
let folder: string
beforeAll(async () => {
  h1 = await startBench()
  await makeKine(h1.host)
  const tables = ['public.kine']
  await converge(h1.host, 'postgres_publication', { name: 'twonode', database: 'kine', tables })
})
afterAll(async () => {
  await h1.close()
})
beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-follows-')
  await h1.server.sql('kine', 'truncate kine restart identity')
  await converge(h1.host, 'replication_slots', { database: 'kine', keep: [] })
  await converge(h1.host, 'kine_revision', { database: 'kine', branch: 1, term: 1 })
  const slot = { name: 'h2_1_1', database: 'kine', publication: 'twonode' }
  await converge(h1.host, 'replication_slot', slot)
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** What becomes of the branch: the table itself is moved by none of these. */
const MODULES = ['kine_history', 'kine_salvage', 'replication_slots'] as const

const YAML = join(import.meta.dirname, '../../playbooks/role/follows.yaml')

const tasks = (parse(readFileSync(YAML, 'utf8')) as { tasks: JsonObject[] }[]).flatMap((play) =>
  play.tasks.flatMap((task) => {
    const module = MODULES.find((one) => one in task)
    return module === undefined ? [] : [{ task, module }]
  }),
)

/** Args with their templates filled in. */
function filled(value: unknown, names: JsonObject): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, names))
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, filled(item, names)]),
    )
  if (typeof value !== 'string') return value
  const [, whole] = /^\{\{ ([^{}]*) \}\}$/.exec(value) ?? []
  if (whole !== undefined) return evaluate(whole, names)
  return value.replaceAll(/\{\{ ([^{}]*) \}\}/g, (_, text: string) => String(evaluate(text, names)))
}

/** One run of them on h1, in their order and under their own conditions; what they registered. */
async function follows(site: JsonObject): Promise<JsonObject> {
  const names: Record<string, JsonObject> = {
    host: { name: 'h1' },
    site: {
      name: 'edge',
      leader: 'h2',
      branch: 2,
      postgres: { database: 'kine' },
      stateDirectory: folder,
      salvage: { maxSizeMb: 10 },
      ...site,
    },
  }
  for (const { task, module } of tasks) {
    const { register = module, when } = task as { register?: string; when?: string }
    if (when !== undefined && evaluate(when, names) !== true) {
      names[register] = { changed: false, skipped: true, failed: false }
      continue
    }
    const args = filled(task[module], names) as JsonObject
    const bounded =
      module === 'kine_salvage' ? { ...args, given_up: join(folder, 'given-up') } : args
    await converge(h1.host, module, bounded)
    names[register] = await result(h1.host, module, bounded)
  }
  return names
}

const slots = async () =>
  (
    await h1.server.sql<{ name: string }>(
      'kine',
      'select slot_name::text as name from pg_replication_slots order by 1',
    )
  ).map(({ name }) => name)

/** A row that takes its id before the fork, and is committed beyond it: only the slot tells of it. */
async function lateCommit(): Promise<JsonObject> {
  await h1.server.sql('kine', "select nextval('kine_id_seq')")
  const insert = `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease, value)
    values ($1, $2, 1, 0, 0, 0, 0, 'x')`
  const [{ id } = { id: 0 }] = await h1.server.sql<{ id: number }>(
    'kine',
    "select nextval('kine_id_seq')::int as id",
  )
  await h1.server.sql('kine', insert, [id, '/registry/configmaps/default/before'])
  const [numbers] = await h1.server.sql(
    'kine',
    `select count(*)::int as count, sum(id)::text as sum, max(id)::int as max,
      pg_current_wal_insert_lsn()::text as lsn from kine`,
  )
  await h1.server.sql('kine', insert, [id - 1, '/registry/configmaps/default/late'])
  return { from: 1, slot: 'h2_1_1', compactRevision: 0, ...(numbers as JsonObject) }
}

test('A1: who comes back while it has no slot to copy by saves what only it had before its own slots go, and finds that saved when it has one', async () => {
  const fork = await lateCommit()
  const { history, salvage } = await follows({ fork, slot: null })
  expect(history).toMatchObject({ swap: true })
  expect(salvage).toMatchObject({ exact: true, problem: null })
  expect(await slots()).toEqual([])
  const { salvage: again } = await follows({ fork, slot: 'h1_2_2' })
  expect(again).toMatchObject({ ...(salvage as JsonObject), exact: true })
  const kept = await readFile(
    join((salvage as { folder: string }).folder, 'changes.ndjson'),
    'utf8',
  )
  expect(kept).toContain('/registry/configmaps/default/late')
})

test('A1: while a disk takes no salvage, and the table stays, its slots stay for the next try', async () => {
  const fork = await lateCommit()
  // A file where the folder should be: nothing can be written there.
  await writeFile(join(folder, 'salvage'), '')
  expect(await follows({ fork, slot: null })).toMatchObject({ salvage: { folder: null } })
  expect(await slots()).toEqual(['h2_1_1'])
  await rm(join(folder, 'salvage'))
  await rm(join(folder, 'given-up'), { recursive: true })
  expect(await follows({ fork, slot: null })).toMatchObject({ salvage: { exact: true } })
  expect(await slots()).toEqual([])
})
