import { beforeEach, expect, test } from 'vitest'
import { converge, kineWrites } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { JUMP } from '../../modules/kine_revision.ts'

const bench = kineBench()

/** A table as kine leaves it: its compaction key and a few keys. */
beforeEach(async () => {
  await bench.server.sql('kine', 'truncate kine restart identity')
  await kineWrites(bench.server, 'compact_rev_key', '')
  for (const key of ['/registry/a', '/registry/b', '/registry/a'])
    await kineWrites(bench.server, key, `${key}!`)
})

const promotion = {
  database: 'kine',
  branch: 3,
  term: 3,
  fork_lsn: '0/1A2B3C8',
  fork_slot: 'h2_1_1',
}

const deletedKeys = async () => {
  const rows = await bench.server.sql<{ name: string }>(
    'kine',
    'select name from kine where deleted = 1 order by id',
  )
  return rows.map(({ name }) => name)
}

/** An address among Endpoints: {ip: "10.0.0.x"}, as a repeated field. */
const address = (last: string) => `\x0a\x0a\x0a\x0810.0.0.${last}`

/** What an API server stores: protobuf, or JSON in base64. */
const lease = async (name: string, value: string) =>
  await bench.server.sql(
    'kine',
    `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
     values ($1, 1, 0, 0, 0, 0, decode($2, 'base64'))`,
    [name, value],
  )

/** A Lease in JSON. */
function held(holder: string): string {
  const text = JSON.stringify({ kind: 'Lease', spec: { holderIdentity: holder } })
  return Buffer.from(text).toString('base64')
}

test("C4: a promotion deletes the dead host's API server lease and the locks it held, and no others", async () => {
  await lease('/registry/masterleases/10.0.0.1', '')
  await lease('/registry/masterleases/10.0.0.2', '')
  await lease('/registry/leases/kube-system/kube-scheduler', held('h1_0b8c'))
  await lease('/registry/leases/kube-system/kube-controller-manager', held('h2_0b8c'))
  await lease('/registry/leases/kube-system/of-another', held('h10_0b8c'))
  await lease('/registry/leases/kube-node-lease/h1', held('h1'))
  const args = { ...promotion, dead_host: { name: 'h1', address: '10.0.0.1' } }
  await converge(bench.host, 'kine_revision', args)
  expect(await deletedKeys()).toEqual([
    '/registry/leases/kube-system/kube-scheduler',
    '/registry/masterleases/10.0.0.1',
  ])
  expect(await converge(bench.host, 'kine_revision', args)).toEqual([])
})

test("C4: the dead host's address is taken from the API's endpoints by an update as kine makes one", async () => {
  const name = '/registry/services/endpoints/default/kubernetes'
  // Unknown{raw: Endpoints{subsets: {addresses: {ip: "10.0.0.1"}, addresses: {ip: "10.0.0.2"}}}}
  const both = Buffer.from(`k8s\0\x12\x1a\x12\x18${address('1')}${address('2')}`, 'latin1')
  const one = Buffer.from(`k8s\0\x12\x0e\x12\x0c${address('2')}`, 'latin1')
  await lease(name, both.toString('base64'))
  const dead_host = { name: 'h1', address: '10.0.0.1' }
  await converge(bench.host, 'kine_revision', { ...promotion, dead_host })
  const [last] = await bench.server.sql(
    'kine',
    `select id::int, created, deleted, create_revision::int, prev_revision::int,
       encode(value, 'base64') as value, encode(old_value, 'base64') as old
     from kine where name = $1 order by id desc limit 1`,
    [name],
  )
  expect(last).toEqual({
    id: 5 + JUMP + 1,
    created: 0,
    deleted: 0,
    create_revision: 5,
    prev_revision: 5,
    value: one.toString('base64'),
    old: both.toString('base64'),
  })
})

test('C4: a hand-over deletes nothing: nobody died', async () => {
  await lease('/registry/masterleases/10.0.0.1', '')
  const dead_host = { name: 'h1', address: '10.0.0.1' }
  await converge(bench.host, 'kine_revision', { ...promotion, began: 'handover', dead_host })
  expect(await deletedKeys()).toEqual([])
})
