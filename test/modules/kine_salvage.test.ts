import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { messageOf } from '../../src/core/errors.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { SalvagedChange, SalvagedObject, SalvageManifest } from '../../src/core/salvage.ts'
import { kineSalvage } from '../../modules/kine_salvage.ts'
import { moduleCases } from '../support/module_cases.ts'
import {
  type Bench,
  converge,
  makeKine,
  plan,
  result,
  startBench,
  step,
} from '../support/postgres_bench.ts'
import { storedProtobuf, varint } from '../salvage/stored_objects.ts'

// h1 led branch 1 and wrote on behind a cut; its own slot for h2 shows what h2 never had.
let h1: Bench
let directory: string
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
  directory = await mkdtemp('/tmp/twonode-salvage-')
  await h1.server.sql('kine', 'truncate kine restart identity')
  await converge(h1.host, 'replication_slots', { database: 'kine', keep: [] })
  await converge(h1.host, 'kine_revision', { database: 'kine', branch: 1, term: 1 })
  const slot = { name: 'h2_1_1', database: 'kine', publication: 'twonode' }
  await converge(h1.host, 'replication_slot', slot)
})
afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

moduleCases(kineSalvage)

const bytes = (base64: string | null) => Buffer.from(base64 ?? '', 'base64')

const WEB = '/registry/deployments/default/web'
const web = (replicas: number, status = 0) =>
  storedProtobuf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: 'default',
    name: 'web',
    spec: varint(1, replicas),
    status: varint(1, status),
  })

/** A change as kine writes one; its id. */
async function writes(name: string, value: Buffer, { deleted = false } = {}): Promise<number> {
  const [row] = await h1.server.sql<{ id: string }>(
    'kine',
    `with live as (select id, value from kine where name = $1 order by id desc limit 1)
     insert into kine (name, created, deleted, create_revision, prev_revision, lease, value, old_value)
     values ($1, ((select count(*) from live) = 0)::int, $3, 0, coalesce((select id from live), 0), 0, $2,
       (select value from live)) returning id`,
    [name, value, deleted ? 1 : 0],
  )
  return Number(row?.id)
}

/** What h2 has at this moment, as the fork point of its branch 2 records it. */
async function forkNow(over: JsonObject = {}): Promise<JsonObject> {
  const [numbers] = await h1.server.sql(
    'kine',
    `select count(*)::int as count, sum(id)::text as sum, max(id)::int as max,
      pg_current_wal_insert_lsn()::text as lsn from kine`,
  )
  return { from: 1, slot: 'h2_1_1', compactRevision: 0, ...(numbers as JsonObject), ...over }
}

function args(fork: JsonObject | null, over: JsonObject = {}): JsonObject {
  const branch = { site: 'edge', host: 'h1', leader: 'h2', branch: 2 }
  const given_up = join(directory, 'given-up')
  return { database: 'kine', directory, ...branch, fork, max_size: 10, given_up, ...over }
}

/** What the step leaves on the disk. */
async function saved(asked: JsonObject) {
  await converge(h1.host, 'kine_salvage', asked)
  const { folder } = (await result(h1.host, 'kine_salvage', asked)) as { folder: string }
  const read = async (name: string) => await readFile(join(folder, name), 'utf8')
  const lines = async (name: string) => (await read(name)).split('\n').slice(0, -1)
  return {
    folder,
    manifest: JSON.parse(await read('manifest.json')) as SalvageManifest,
    changes: (await lines('changes.ndjson')).map((line) => JSON.parse(line) as SalvagedChange),
    objects: (await lines('objects.ndjson')).map((line) => JSON.parse(line) as SalvagedObject),
    text: await read('changes.ndjson'),
  }
}

describe('A1: what the losing branch has of its own', () => {
  test('is exactly the transactions beyond the fork, by commits and not by ids, with their objects', async () => {
    await writes(WEB, web(2))
    // Took its id before the fork, and is committed after it: only the slot tells.
    const [row] = await h1.server.sql<{ id: string }>('kine', "select nextval('kine_id_seq') as id")
    await writes('/registry/configmaps/default/before', Buffer.from('k8s\0'))
    const fork = await forkNow()
    await h1.server.sql(
      'kine',
      `insert into kine (id, name, created, deleted, create_revision, prev_revision, lease, value)
       values (${row?.id}, '/registry/configmaps/default/late', 1, 0, 0, 0, 0, 'k8s')`,
    )
    await writes(WEB, web(2, 1))
    const last = await writes(WEB, web(5, 1))
    await writes('/registry/leases/kube-node-lease/h1', Buffer.from('x'))
    await writes('/registry/events/default/web.1', Buffer.from('x'))
    await h1.server.sql('kine', `delete from kine where id = ${last - 1}`)

    const { manifest, changes, objects, text, folder } = await saved(args(fork))
    expect(folder).toMatch(/\/1_\d+$/)
    expect(changes.map(({ op, name }) => `${op} ${name}`)).toEqual([
      'insert /registry/configmaps/default/late',
      `insert ${WEB}`,
      `insert ${WEB}`,
      'insert /registry/leases/kube-node-lease/h1',
      'insert /registry/events/default/web.1',
      'delete null',
    ])
    expect(manifest).toMatchObject({
      format: 1,
      site: 'edge',
      host: 'h1',
      branch: 1,
      fork,
      exact: true,
      missing: null,
      successor: { branch: 2, leader: 'h2' },
      transactions: 6,
      counts: {
        spec: { objects: 2, changes: 3 },
        lease: { objects: 1, changes: 1 },
        event: { objects: 1, changes: 1 },
        own: { objects: 0, changes: 1 },
        status: { objects: 0, changes: 0 },
      },
    })
    const deployment = objects.find(({ key }) => key === WEB)
    expect(deployment).toMatchObject({
      class: 'spec',
      change: 'changed',
      kind: 'Deployment',
      name: 'web',
    })
    // The first line has what it was at the fork, the last what it is.
    const line = ({ at, length }: { at: number; length: number }) =>
      JSON.parse(text.slice(at, at + length)) as SalvagedChange
    expect(bytes(line(deployment?.first ?? { at: 0, length: 0 }).old_value)).toEqual(web(2))
    expect(bytes(line(deployment?.last ?? { at: 0, length: 0 }).value)).toEqual(web(5, 1))
  })

  test('is for root only, and made once: the second look finds it', async () => {
    const fork = await forkNow()
    await writes(WEB, web(1))
    const { folder } = await saved(args(fork))
    for (const name of ['', 'manifest.json', 'changes.ndjson', 'objects.ndjson'])
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0)
    expect(await plan(h1.host, step('kine_salvage', args(fork)))).toEqual([])
    expect(await readdir(directory)).toEqual([folder.split('/').at(-1)])
  })

  test('is made anew when it was cut, torn, or the table has gone on since', async () => {
    const fork = await forkNow()
    await writes(WEB, web(1))
    const first = await saved(args(fork))
    const { at: _, ...manifest } = first.manifest
    for (const cut of [
      async () => await writeFile(join(first.folder, 'manifest.json'), '{"format":1,"num'),
      async () => await rm(join(first.folder, 'manifest.json')),
      async () => await writeFile(`${first.folder}.part`, 'left by a cut'),
    ]) {
      await cut()
      const again = await saved(args(fork))
      expect(again.manifest).toMatchObject(manifest)
      expect(again.text).toBe(first.text)
    }
    await writes(WEB, web(2))
    expect((await saved(args(fork))).changes).toHaveLength(2)
  })

  test('is made anew when another branch has won meanwhile: the fork is another one then', async () => {
    const early = await forkNow()
    await writes(WEB, web(1))
    const late = await forkNow()
    await writes(WEB, web(2))
    expect((await saved(args(late))).changes).toHaveLength(1)
    const again = await saved(args(early, { branch: 3 }))
    expect(again.changes).toHaveLength(2)
    expect(again.manifest.successor).toEqual({ branch: 3, leader: 'h2' })
  })

  test('larger than a fetch comes whole and in its order', async () => {
    const fork = await forkNow()
    await h1.server.sql(
      'kine',
      `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
       select '/registry/configmaps/default/' || i, 1, 0, 0, 0, 0, convert_to(repeat('x', (i % 20) * 200), 'utf8')
       from generate_series(1, 300) i`,
    )
    const { changes, manifest } = await saved(args(fork, { max_size: 100 }))
    expect(changes.map(({ name }) => Number(name?.split('/').at(-1)))).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 1),
    )
    expect(manifest).toMatchObject({ transactions: 1, counts: { spec: { objects: 300 } } })
  })

  test('beyond its bound loses values and no objects, and says where they are', async () => {
    const fork = await forkNow()
    for (let i = 0; i < 4; i += 1)
      await writes(`/registry/configmaps/default/${i}`, Buffer.alloc(400_000, 'x'))
    const { manifest, objects } = await saved(args(fork, { max_size: 1 }))
    expect(manifest.missing).toContain('they are in the old table')
    expect(objects.map(({ last }) => last !== null)).toEqual([true, false, false, false])
    expect(await result(h1.host, 'kine_salvage', args(fork, { max_size: 1 }))).toMatchObject({
      exact: true,
      problem: manifest.missing,
    })
  })
})

describe('without the slot, it is', () => {
  test('what stands above the fork, and says that it is not exact', async () => {
    await writes(WEB, web(2))
    const fork = await forkNow()
    await writes(WEB, web(5))
    await h1.server.sql('kine', "select pg_drop_replication_slot('h2_1_1')")
    const { manifest, objects } = await saved(args(fork))
    expect(objects).toMatchObject([{ key: WEB, class: 'spec', change: 'changed' }])
    expect(manifest).toMatchObject({ exact: false, transactions: 0 })
    expect(manifest.inexact).toContain('the slot h2_1_1 is gone')
  })

  test('the same when PostgreSQL can not decode what the slot has kept', async () => {
    await writes(WEB, web(2))
    const fork = await forkNow()
    await writes(WEB, web(5))
    const { manifest } = await saved(args(fork, { publication: 'gone' }))
    expect(manifest).toMatchObject({ exact: false, counts: { spec: { objects: 1 } } })
    expect(manifest.inexact).toContain('publication "gone" does not exist')
  })

  test('the last version of all objects, where nothing says how the branches part', async () => {
    await writes(WEB, web(2))
    await writes(WEB, web(5))
    await writes('/registry/configmaps/default/gone', web(1))
    await writes('/registry/configmaps/default/gone', web(1), { deleted: true })
    for (const fork of [null, await forkNow({ from: 7 })]) {
      const { manifest, objects } = await saved(args(fork, { branch: fork === null ? 2 : 8 }))
      expect(manifest.exact).toBe(false)
      expect(objects).toMatchObject([{ key: WEB, class: 'spec', change: 'unknown' }])
      await rm(directory, { recursive: true })
    }
  })
})

test("a host that followed in the leader's own branch has nothing of its own, and its folder says so", async () => {
  await writes(WEB, web(2))
  const { manifest, changes, objects } = await saved(args(null, { branch: 1 }))
  expect({ changes, objects }).toEqual({ changes: [], objects: [] })
  expect(manifest).toMatchObject({ exact: true, transactions: 0, counts: { spec: { objects: 0 } } })
})

test('a disk that takes nothing keeps no host from returning: the table stays, and why is said', async () => {
  const fork = await forkNow()
  await writes(WEB, web(5))
  await writeFile(join(directory, 'file'), '')
  const asked = args(fork, { directory: join(directory, 'file/salvage') })
  await converge(h1.host, 'kine_salvage', asked)
  const told = await result(h1.host, 'kine_salvage', asked)
  expect(told).toMatchObject({ folder: null, exact: null })
  expect(told['problem']).toContain('stays in the old table')
})

test('a converge that has to end takes its session with it, and the next one saves all', async () => {
  const fork = await forkNow()
  await writes(WEB, web(5))
  const [change] = await plan(h1.host, step('kine_salvage', args(fork)))
  if (change?.kind !== 'salvage') throw new Error('nothing to save')
  await h1.server.signal('SIGSTOP')
  const cut = h1.host.salvage(change.request).catch(messageOf)
  await h1.host.close()
  await h1.server.signal('SIGCONT')
  // Before it had its session, or while it waited for an answer.
  expect(await cut).toMatch(/more urgent|connection/)
  expect((await saved(args(fork))).changes).toHaveLength(1)
})
