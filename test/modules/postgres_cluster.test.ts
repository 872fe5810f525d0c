import { appendFile, chmod, chown, mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeChange } from '../../src/core/change.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { reveal } from '../../src/core/secret.ts'
import { readAccounts } from '../../src/host/accounts.ts'
import { makeAuthority } from '../../src/host/x509.ts'
import { type DebianCluster, debianCluster } from '../support/debian_cluster.ts'
import { applyAll, converge, notes, plan, result, step } from '../support/postgres_bench.ts'
import { postgresCluster } from '../../modules/postgres_cluster.ts'
import { moduleCases } from '../support/module_cases.ts'

let cluster: DebianCluster
let etc: string
beforeAll(async () => {
  cluster = await debianCluster()
  etc = `/etc/postgresql/15/${cluster.name}`
})
afterAll(async () => {
  await cluster.close()
})
beforeEach(() => {
  cluster.asked.length = 0
})

const args = (over: JsonObject = {}, settings: JsonObject = {}): JsonObject => ({
  version: 15,
  name: cluster.name,
  port: cluster.port,
  listen_addresses: ['127.0.0.1'],
  // fsync: a shutdown takes seconds on a slow disk, and nothing here outlives the test.
  settings: {
    wal_level: 'logical',
    wal_retrieve_retry_interval: '200ms',
    fsync: 'off',
    ...settings,
  },
  hba: [{ type: 'local', database: 'all', user: 'all', method: 'peer' }],
  ...over,
})

const show = async (name: string) => {
  const [row] = await cluster.host.sql<Record<string, string>>('postgres', `show ${name}`)
  return row?.[name]
}

const startedAt = async () => {
  const [row] = await cluster.host.sql<{ at: string }>(
    'postgres',
    'select pg_postmaster_start_time()::text as at',
  )
  return row?.at
}

moduleCases(postgresCluster)

test('PostgreSQL that an earlier task will install is not there yet', async () => {
  await expect(
    plan(cluster.host, step('postgres_cluster', args({ version: 29 }))),
  ).rejects.toMatchObject({ name: 'NotYet', message: 'PostgreSQL 29 is not installed' })
})

test('a cluster that is missing is made, and lets root in as postgres; the second run is empty', async () => {
  // As one of its name left them that was dropped by hand.
  await mkdir(`${etc}/conf.d`, { recursive: true })
  await writeFile(`${etc}/conf.d/twonode.conf`, "wal_level = 'minimal'\n")
  const changes = await plan(cluster.host, step('postgres_cluster', args()))
  await applyAll(cluster.host, changes)
  expect(await converge(cluster.host, 'postgres_cluster', args())).toEqual([])
  expect(await result(cluster.host, 'postgres_cluster', args())).toEqual({
    exists: true,
    running: true,
    data_directory: `/var/lib/postgresql/15/${cluster.name}`,
  })
  expect(await show('wal_level')).toBe('logical')
  expect(await cluster.host.sql('postgres', 'select current_user::text')).toEqual([
    { current_user: 'postgres' },
  ])
})

test('the local line and the map come first, and once', async () => {
  const lines = (await readFile(`${etc}/pg_hba.conf`, 'utf8')).split('\n').slice(1, 3)
  expect(lines).toEqual(['local all postgres peer map=twonode', 'local all all peer'])
  const again = args({
    ident: [{ map: 'twonode', system: 'root', role: 'postgres' }],
    hba: [
      {
        type: 'local',
        database: 'all',
        user: 'postgres',
        method: 'peer',
        options: { map: 'twonode' },
      },
      { type: 'local', database: 'all', user: 'all', method: 'peer' },
    ],
  })
  expect(await plan(cluster.host, step('postgres_cluster', again))).toEqual([])
})

test('what can be loaded is loaded without a restart', async () => {
  const before = await startedAt()
  await converge(cluster.host, 'postgres_cluster', args({}, { wal_retrieve_retry_interval: '1s' }))
  expect(await show('wal_retrieve_retry_interval')).toBe('1s')
  await converge(cluster.host, 'postgres_cluster', args())
  expect(await show('wal_retrieve_retry_interval')).toBe('200ms')
  expect(await startedAt()).toBe(before)
  expect(cluster.asked).toEqual([])
})

test('what needs a restart gets one, announced in the check and bounded', async () => {
  const before = await startedAt()
  const wanted = args({}, { max_wal_senders: '11' })
  const predicted = (await plan(cluster.host, step('postgres_cluster', wanted))).map(describeChange)
  expect(predicted).toContain(`run systemctl restart postgresql@15-${cluster.name}.service`)
  expect(await converge(cluster.host, 'postgres_cluster', wanted)).toEqual(predicted)
  expect(await show('max_wal_senders')).toBe('11')
  expect(await startedAt()).not.toBe(before)
  expect(await notes(cluster.host, 'postgres_cluster', wanted)).toEqual([])
})

test('a setting that is taken out is no longer in force', async () => {
  await converge(cluster.host, 'postgres_cluster', args())
  expect(await show('max_wal_senders')).toBe('10')
  expect(cluster.asked).toEqual(['restart'])
})

test('the same value in other words is no change of the server', async () => {
  const said = (over: JsonObject) => converge(cluster.host, 'postgres_cluster', args({}, over))
  await said({ max_wal_size: '1024MB', work_mem: 4096, log_lock_waits: true })
  await said({ max_wal_size: '1GB', work_mem: '4MB', log_lock_waits: 'yes' })
  await said({})
  expect(cluster.asked).toEqual([])
})

test.each([
  [
    'a setting changed by ALTER SYSTEM',
    async () => {
      await cluster.host.sql('postgres', "alter system set wal_retrieve_retry_interval = '5s'")
      await cluster.host.sql('postgres', 'select pg_reload_conf()')
    },
  ],
  [
    'a line removed from pg_hba.conf',
    async () => {
      const text = await readFile(`${etc}/pg_hba.conf`, 'utf8')
      await writeFile(`${etc}/pg_hba.conf`, text.replace('local all all peer\n', ''))
    },
  ],
  [
    'a setting edited',
    async () => {
      await appendFile(`${etc}/conf.d/twonode.conf`, "wal_retrieve_retry_interval = '9s'\n")
    },
  ],
  [
    'an open mode',
    async () => {
      await chmod(`${etc}/pg_ident.conf`, 0o666)
    },
  ],
])('drift: %s is put right', async (_, drift) => {
  await drift()
  expect(await converge(cluster.host, 'postgres_cluster', args())).not.toEqual([])
  expect(await show('wal_retrieve_retry_interval')).toBe('200ms')
  expect(cluster.asked).toEqual([])
})

test('a stopped server is started', async () => {
  await cluster.host.exec(['pg_ctlcluster', '15', cluster.name, 'stop', '-m', 'fast'])
  expect(await result(cluster.host, 'postgres_cluster', args())).toMatchObject({ running: false })
  await converge(cluster.host, 'postgres_cluster', args())
  expect(cluster.asked).toEqual(['start'])
})

test('a server that the boot starts between our look and our write runs with the new files', async () => {
  const stop = ['pg_ctlcluster', '15', cluster.name, 'stop', '-m', 'fast']
  await cluster.host.exec(stop)
  const wanted = args({}, { max_wal_senders: '14' })
  const changes = await plan(cluster.host, step('postgres_cluster', wanted))
  await cluster.host.exec(['pg_ctlcluster', '15', cluster.name, 'start'])
  await applyAll(cluster.host, changes)
  expect(await show('max_wal_senders')).toBe('14')
  await converge(cluster.host, 'postgres_cluster', args())
})

test('cut after any change of a restart, the next run ends where it should', async () => {
  for (const [cut, senders] of [
    [1, '12'],
    [2, '13'],
  ] as const) {
    const wanted = args({}, { max_wal_senders: senders })
    const changes = await plan(cluster.host, step('postgres_cluster', wanted))
    expect(changes.map(({ kind }) => kind)).toEqual(['write', 'exec', 'exec', 'await'])
    await applyAll(cluster.host, changes.slice(0, cut))
    await converge(cluster.host, 'postgres_cluster', wanted)
    expect(await show('max_wal_senders')).toBe(senders)
  }
  await converge(cluster.host, 'postgres_cluster', args())
})

test('a value that PostgreSQL refuses never replaces the old file', async () => {
  const before = await readFile(`${etc}/conf.d/twonode.conf`, 'utf8')
  await expect(
    converge(cluster.host, 'postgres_cluster', args({}, { wal_level: 'bogus' })),
  ).rejects.toMatchObject({
    code: 'E_INVALID_CONTENT',
    detail: expect.stringContaining('wal_level'),
  })
  expect(await readFile(`${etc}/conf.d/twonode.conf`, 'utf8')).toBe(before)
})

test('a rule that PostgreSQL refuses gives way to what was there', async () => {
  const before = await readFile(`${etc}/pg_hba.conf`, 'utf8')
  const hba = [
    { type: 'host', database: 'all', user: 'all', address: '10.0.0.300/32', method: 'cert' },
  ]
  await expect(converge(cluster.host, 'postgres_cluster', args({ hba }))).rejects.toMatchObject({
    code: 'E_INVALID_CONTENT',
  })
  expect(await readFile(`${etc}/pg_hba.conf`, 'utf8')).toBe(before)
})

test('a rule that PostgreSQL refuses is refused again, not taken for done, after a cut', async () => {
  const before = await readFile(`${etc}/pg_hba.conf`, 'utf8')
  const hba = [
    { type: 'host', database: 'all', user: 'all', address: '10.0.0.300/32', method: 'cert' },
  ]
  const [change] = await plan(cluster.host, step('postgres_cluster', args({ hba })))
  if (change?.kind !== 'write') throw new Error('the rules are not written')
  // The power went between the rename and the server's word.
  await writeFile(`${etc}/pg_hba.conf`, reveal(change.content))
  try {
    const again = converge(cluster.host, 'postgres_cluster', args({ hba }))
    await expect(again).rejects.toThrow(/PostgreSQL refuses .*pg_hba.conf, line \d+: .*10.0.0.300/)
    // Other rules mend it.
    await converge(cluster.host, 'postgres_cluster', args())
    expect(await readFile(`${etc}/pg_hba.conf`, 'utf8')).toBe(before)
  } finally {
    await writeFile(`${etc}/pg_hba.conf`, before)
  }
})

test('PostgreSQL not starting: the error has the last lines of its log, and the next run goes on', async () => {
  await expect(
    converge(cluster.host, 'postgres_cluster', args({}, { shared_buffers: '8000GB' })),
  ).rejects.toMatchObject({
    code: 'E_COMMAND_FAILED',
    message: expect.stringContaining('pg_ctlcluster'),
    detail: expect.stringContaining('could not map anonymous shared memory'),
  })
  await converge(cluster.host, 'postgres_cluster', args())
  expect(await show('shared_buffers')).toBe('128MB')
})

test('a later line that overrules ours is refused with its place', async () => {
  const main = await readFile(`${etc}/postgresql.conf`, 'utf8')
  await appendFile(`${etc}/postgresql.conf`, "wal_level = 'replica'\n")
  const line = main.split('\n').length
  await expect(plan(cluster.host, step('postgres_cluster', args()))).rejects.toThrow(
    `wal_level by ${etc}/postgresql.conf:${line}`,
  )
  await writeFile(`${etc}/postgresql.conf`, main)
})

test('the data of a cluster is not moved', async () => {
  await expect(
    plan(cluster.host, step('postgres_cluster', args({ data_directory: '/srv/elsewhere' }))),
  ).rejects.toThrow('it is not moved')
})

test('TLS: a certificate that an earlier task will issue is not there yet, and then it is used', async () => {
  const folder = await mkdtemp('/tmp/twonode-tls-')
  await chmod(folder, 0o755)
  const tls = { certificate: `${folder}/a.crt`, key: `${folder}/a.key`, ca: `${folder}/a.crt` }
  await expect(plan(cluster.host, step('postgres_cluster', args({ tls })))).rejects.toMatchObject({
    name: 'NotYet',
  })
  const { certificatePem, keyPem } = await makeAuthority('h1')
  const postgres = await readAccounts().user('postgres')
  await writeFile(tls.certificate, certificatePem)
  await writeFile(tls.key, keyPem, { mode: 0o600 })
  await chown(tls.key, postgres?.id ?? 0, postgres?.groupId ?? 0)
  await converge(cluster.host, 'postgres_cluster', args({ tls }))
  expect(await show('ssl_cert_file')).toBe(tls.certificate)
  expect(await show('ssl_ca_file')).toBe(tls.ca)
  await converge(cluster.host, 'postgres_cluster', args())
  await rm(folder, { recursive: true })
})

test('words that would be syntax in the files are refused before anything is asked', () => {
  const hba = [{ type: 'local', database: 'all', user: 'a b', method: 'peer' }]
  expect(() => step('postgres_cluster', args({ hba }))).toThrow('one word without blanks')
  expect(() => step('postgres_cluster', args({}, { work_mem: 'a\nb' }))).toThrow(
    'settings.work_mem',
  )
})
