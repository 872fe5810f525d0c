import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { JsonObject } from '../../src/core/json.ts'
import { chooseSites, parseInventory } from '../../src/plan/inventory.ts'
import { fenceAndPromote, postgresOf, siteOfHost } from '../../src/core/site.ts'
import { INVENTORY_SCHEMA, ONE_SITE_SCHEMA } from '../../src/plan/inventory_schema.ts'
import { IMPORT_SCHEMA, PLAY_SCHEMA, TASK_SCHEMA } from '../../src/plan/playbook_schema.ts'
import { checkSchema } from '../../src/plan/schema_check.ts'

const EXAMPLE = 'inventory/example.yaml'
const example = readFileSync(EXAMPLE, 'utf8')

const only = (text: string, file = 'inv/lab.yaml') => {
  const [site] = parseInventory(text, file).sites.values()
  if (site === undefined) throw new Error('no site')
  return site
}

const HOSTS = 'hosts: [{ name: h1, address: 10.0.0.1 }, { name: h2, address: 10.0.0.2 }]'

test('the example is read, with defaults filled in', () => {
  const { site, hosts } = only(example, EXAMPLE)
  expect(site).toMatchObject({
    name: 'demo',
    initialLeader: 'h1',
    controlPlaneEndpoint: { address: '192.0.2.10', port: 6443 },
    gateways: ['192.0.2.1'],
    partition: 'availability',
    witness: null,
    fencing: null,
    liveness: {
      intervalMs: 1000,
      failures: 4,
      port: 8622,
      script: null,
      scriptIntervalMs: 10_000,
      scriptTimeoutMs: 5_000,
    },
    reconcile: { intervalMs: 300_000 },
    replication: { acceptLossBytes: 0, maxSlotWalKeepMb: 4096 },
    salvage: { keep: 3, maxSizeMb: 1024 },
    postgres: {
      version: 15,
      port: 5432,
      database: 'kine',
      dataDirectory: '/var/lib/postgresql/15/main',
    },
    kine: { port: 2379, binary: { path: 'inventory/kine' } },
    k3s: { clusterCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16', config: {} },
    stateDirectory: '/var/lib/twonode',
  })
  expect(hosts[1]).toMatchObject({
    name: 'h2',
    runtime: 'bundled',
    ssh: { user: 'root', hostKeys: [], connectTimeoutMs: 10_000 },
  })
})

test('without a virtual IP the first leader is the end point', () => {
  const { site } = only(`name: s\n${HOSTS}\ninitialLeader: h2\n`)
  expect(site.controlPlaneEndpoint).toEqual({ address: '10.0.0.2', port: 6443 })
  expect(site.virtualIp).toBeNull()
})

test('a site takes from the defaults what it does not say itself, map by map', () => {
  const inventory = parseInventory(
    `defaults:
  postgres: { port: 5433, settings: { shared_buffers: 256MB } }
  gateways: [10.0.0.254]
sites:
  a:
    ${HOSTS}
    postgres: { settings: { work_mem: 8MB } }
  b:
    hosts: [{ name: h3, address: 'fd00::1' }, { name: h4, address: 'fd00::2' }]
    gateway: fd00::f
    virtualIp: { address: 'fd00::10', prefix: 64, interface: eth0 }
`,
    'i.yaml',
  )
  expect(inventory.sites.get('a')?.site.postgres).toMatchObject({
    port: 5433,
    settings: { shared_buffers: '256MB', work_mem: '8MB' },
  })
  expect(inventory.sites.get('b')?.site.gateways).toEqual(['10.0.0.254', 'fd00::f'])
  expect(chooseSites(inventory, []).map(({ site }) => site.name)).toEqual(['a', 'b'])
  expect(chooseSites(inventory, ['b']).map(({ site }) => site.name)).toEqual(['b'])
  expect(() => chooseSites(inventory, ['c'])).toThrow(/no site c/)
})

const MIXED = HOSTS.replace('10.0.0.2', '10.0.0.2, postgres: { version: 17 }')

test('a host may have a major version of PostgreSQL of its own, and the folder that goes with it', () => {
  const { site } = only(`name: s\n${MIXED}\n`)
  expect(postgresOf(site, 'h1')).toBe(site.postgres)
  expect(siteOfHost(site, 'h2').postgres).toMatchObject({
    version: 17,
    dataDirectory: '/var/lib/postgresql/17/main',
  })
  const same = only(`name: s\n${MIXED}\npostgres: { version: 17 }\n`).site
  expect(same.postgres, 'nothing is told of what is the same').not.toHaveProperty('versions')
})

test('where the inventory has a folder for the data no host has another major version', () => {
  expect(() => only(`name: s\n${MIXED}\npostgres: { dataDirectory: /srv/pg }\n`)).toThrow(
    /dataDirectory is of PostgreSQL 15, and h2 is to have 17/,
  )
})

const binary = (path: string) =>
  only(`name: s\n${HOSTS}\nkine: { path: '${path}' }\n`).site.kine.binary.path

test('paths of binaries start beside the inventory; absolute ones and ~ stay', () => {
  expect(binary('../bin/kine')).toBe('bin/kine')
  expect(binary('/opt/kine')).toBe('/opt/kine')
  expect(binary('~/kine')).toBe('~/kine')
})

test('two spellings of one IPv6 address are one address', () => {
  const text =
    "name: s\nhosts: [{ name: h1, address: 'fd00::1' }, { name: h2, address: 'fd00:0:0::0001' }]\n"
  expect(() => only(text)).toThrow(/already/)
})

test('the fence is always before the promotion, one interval apart', () => {
  for (const failures of [2, 4, 20]) {
    const { fenceMs, promoteMs } = fenceAndPromote({ intervalMs: 1000, failures })
    expect(promoteMs - fenceMs).toBe(1000)
  }
})

test('every key of the inventory and of playbooks is described', () => {
  const undescribed = [INVENTORY_SCHEMA, TASK_SCHEMA, PLAY_SCHEMA].flatMap((schema) =>
    missingDescriptions(schema, []),
  )
  expect(undescribed).toEqual([])
})

function missingDescriptions(schema: JsonObject, path: readonly string[]): readonly string[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonObject>>
  return Object.entries(properties).flatMap(([key, own]) => [
    ...(own['description'] === undefined ? [[...path, key].join('.')] : []),
    ...missingDescriptions(own, [...path, key]),
    ...missingDescriptions((own['items'] ?? {}) as JsonObject, [...path, key, '[]']),
  ])
}

test('the schemas are JSON Schema, and our checker agrees with ajv about them', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true })
  for (const keyword of ['x-unit', 'x-range', 'x-secret', 'x-pattern-hint']) ajv.addKeyword(keyword)
  for (const schema of [TASK_SCHEMA, PLAY_SCHEMA, IMPORT_SCHEMA]) ajv.compile(schema)
  const theirs = ajv.compile(ONE_SITE_SCHEMA)
  const good = parse(example) as JsonObject
  const variants: readonly JsonObject[] = [
    good,
    { ...good, unknown: 1 },
    { ...good, name: 'Not Good' },
    { ...good, hosts: 'h1' },
    { ...good, hosts: [{ name: 'h1' }] },
    { ...good, hosts: [{ name: 'h1', address: 'x', ssh: { port: 0 } }] },
    { ...good, liveness: { failures: 1 } },
    { ...good, liveness: { failures: 2.5 } },
    { ...good, partition: 'maybe' },
    { ...good, postgres: { settings: { a: 1 } } },
    { ...good, kine: { sha256: 'abc' } },
    { ...good, gateways: [1] },
    { ...good, virtualIp: { address: '10.0.0.1' } },
  ]
  for (const variant of variants) {
    const ours: unknown[] = []
    checkSchema(ONE_SITE_SCHEMA, variant, [], (misfit) => ours.push(misfit))
    expect({ variant, fits: ours.length === 0 }).toEqual({ variant, fits: theirs(variant) })
  }
})
