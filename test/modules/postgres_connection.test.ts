import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectionText } from '../../modules/parts/postgres_connection.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { makeAuthority } from '../../src/host/x509.ts'
import {
  type Bench,
  converge,
  kineWrites,
  makeKine,
  result,
  startBench,
  until,
} from '../support/postgres_bench.ts'

let folder: string
let publisher: Bench
let subscriber: Bench

/** Keys and certificates as site.yaml has them made, in one folder. */
async function makeCertificates(): Promise<void> {
  const authority = await makeAuthority('test')
  const caCertificatePath = join(folder, 'ca.crt')
  const caKeyPath = join(folder, 'ca.key')
  await writeFile(caCertificatePath, authority.certificatePem)
  await writeFile(caKeyPath, authority.keyPem, { mode: 0o600 })
  const host = createLocalHost({ name: 'h1', digestsPath: null })
  for (const [name, commonName, usages] of [
    ['server', 'h1', ['server']],
    ['replication', 'twonode_replication', ['client']],
    ['kine', 'kine', ['client']],
  ] as const)
    await host.issue({
      commonName,
      usages,
      subjectAltNames: ['127.0.0.1', 'localhost'],
      validDays: 2,
      certificatePath: join(folder, `${name}.crt`),
      keyPath: join(folder, `${name}.key`),
      caCertificatePath,
      caKeyPath,
      owner: 'postgres',
      group: 'postgres',
    })
  await host.close()
}

beforeAll(async () => {
  folder = await mkdtemp('/tmp/twonode-tls-')
  await chmod(folder, 0o755)
  await makeCertificates()
  publisher = await startBench({
    tcp: true,
    hba: 'local all all trust\nhostssl kine twonode_replication 127.0.0.1/32 cert\n',
    settings: {
      ssl: 'on',
      ssl_cert_file: join(folder, 'server.crt'),
      ssl_key_file: join(folder, 'server.key'),
      ssl_ca_file: join(folder, 'ca.crt'),
    },
  })
  subscriber = await startBench()
  for (const { host } of [publisher, subscriber]) await makeKine(host)
  const { host } = publisher
  await converge(host, 'postgres_role', {
    name: 'twonode_replication',
    replication: true,
    member_of: ['pg_read_all_data'],
  })
  const tables = ['public.kine']
  await converge(host, 'postgres_publication', { name: 'twonode', database: 'kine', tables })
  await converge(host, 'replication_slot', {
    name: 'h2_1_1',
    database: 'kine',
    publication: 'twonode',
  })
})
afterAll(async () => {
  await Promise.all([publisher.close(), subscriber.close()])
  await rm(folder, { recursive: true })
})

const subscription = (over: JsonObject = {}): JsonObject => ({
  name: 'twonode',
  database: 'kine',
  publication: 'twonode',
  slot: 'h2_1_1',
  connection: {
    host: '127.0.0.1',
    port: publisher.server.port,
    user: 'twonode_replication',
    database: 'kine',
    application_name: 'h2',
    sslcert: join(folder, 'replication.crt'),
    sslkey: join(folder, 'replication.key'),
    sslrootcert: join(folder, 'ca.crt'),
    ...over,
  },
})

test('by certificates alone, the server proven by its address: copied and followed', async () => {
  const old = await kineWrites(publisher.server, '/registry/old', 'x')
  expect(await converge(subscriber.host, 'postgres_subscription', subscription())).toHaveLength(1)
  const fresh = await kineWrites(publisher.server, '/registry/new', 'y')
  await until(
    subscriber.server,
    'kine',
    `select count(*) = 2 from kine where id in (${old}, ${fresh})`,
  )
  await until(
    publisher.server,
    'kine',
    "select bool_or(ssl and client_dn = '/CN=twonode_replication') from pg_stat_ssl",
  )
  await converge(subscriber.host, 'postgres_subscription', {
    name: 'twonode',
    database: 'kine',
    state: 'absent',
  })
  await subscriber.server.sql('kine', 'truncate kine')
})

test.each([
  ['no TLS', () => ({ sslmode: 'disable' }), 'no pg_hba.conf entry'],
  [
    "another role's certificate",
    () => ({ sslcert: join(folder, 'kine.crt'), sslkey: join(folder, 'kine.key') }),
    'certificate authentication failed',
  ],
  [
    'a server of another authority',
    () => ({ sslrootcert: join(folder, 'replication.crt') }),
    'certificate verify failed',
  ],
])('%s is refused, and nothing is left behind', async (_, over, words) => {
  await expect(
    converge(subscriber.host, 'postgres_subscription', subscription(over())),
  ).rejects.toThrow(words)
  expect(await result(subscriber.host, 'postgres_subscription', subscription())).toMatchObject({
    exists: false,
  })
})

test('words with quotes and backslashes stay one word', () => {
  const rest = {
    port: 5432,
    user: 'u',
    database: 'd',
    sslmode: 'disable',
    connect_timeout: 3,
    tcp_user_timeout: 1000,
  }
  expect(connectionText({ host: `a'b\\c d`, ...rest })).toBe(
    "host='a\\'b\\\\c d' port='5432' user='u' dbname='d' sslmode='disable' connect_timeout='3' tcp_user_timeout='1000'",
  )
})
