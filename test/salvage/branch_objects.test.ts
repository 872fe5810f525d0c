import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldWith } from '../../src/core/protobuf.ts'
import { BranchObjects } from '../../src/salvage/branch_objects.ts'
import type { RowChange } from '../../src/salvage/kine_row.ts'
import { storedObject } from '../../src/salvage/stored_object.ts'
import { storedJson, storedProtobuf, varint, type Written } from './stored_objects.ts'

const web = (replicas: number, more: Partial<Written> = {}) =>
  storedProtobuf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: 'default',
    name: 'web',
    spec: varint(1, replicas),
    ...more,
  })

const configMap = (data: string) =>
  storedProtobuf({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: 'default',
    name: 'settings',
    spec: Buffer.from(data),
  })

function row(name: string, value: Buffer | null, more: Partial<RowChange> = {}): RowChange {
  return {
    op: 'insert',
    id: 1,
    name,
    created: false,
    deleted: false,
    createRevision: 1,
    prevRevision: 1,
    lease: 0,
    value,
    oldValue: null,
    ...more,
  }
}

/** The objects of a branch with these changes. */
function objectsOf(rows: readonly RowChange[]) {
  const branch = new BranchObjects(true)
  for (const one of rows) branch.add(one, { at: 0, length: 1 })
  return [...branch.objects()]
}

/** Class and change of the only object. */
function judged(...rows: readonly RowChange[]): string {
  const [object] = objectsOf(rows)
  return `${object?.class} ${object?.change}`
}

const binding = (status: number) =>
  storedProtobuf({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    namespace: 'default',
    name: 'r',
    status: varint(1, status),
  })

const sealed = (text: string) => Buffer.from(`k8s:enc:aescbc:v1:key:${text}`)

const node = (taints: readonly string[]) => {
  const spec = taints.map((key) => fieldWith(5, fieldWith(1, Buffer.from(key))))
  return storedProtobuf({
    apiVersion: 'v1',
    kind: 'Node',
    name: 'h1',
    spec: Buffer.concat(spec),
  })
}

const cron = (spec: number, status: number) =>
  storedJson({
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name: 'c', namespace: 'default', generation: status },
    spec: { every: spec },
    status: { ran: status },
  })

const bare = (status: number) =>
  storedJson({ apiVersion: 'x/v1', kind: 'Y', metadata: { name: 'c' }, status })

/** An object of that kind which somebody has made. */
function madeAs(key: string, apiVersion: string, kind: string): string {
  const object = { apiVersion, kind, metadata: { name: 'flat-7', namespace: 'shop' } }
  return judged(row(key, storedJson(object), { created: true }))
}

const WEB = '/registry/deployments/default/web'
const NODE = '/registry/minions/h1'

describe('a change of a branch is', () => {
  test('spec, when anything but the status differs from what it was at the fork', () => {
    expect(judged(row(WEB, web(5), { oldValue: web(2) }))).toBe('spec changed')
    const labelled = web(2, { labels: { tier: 'front' } })
    expect(judged(row(WEB, labelled, { oldValue: web(2) }))).toBe('spec changed')
    expect(judged(row(WEB, web(2), { created: true }))).toBe('spec created')
    expect(judged(row(WEB, web(2), { deleted: true, oldValue: web(2) }))).toBe('spec deleted')
  })

  test('status, when only the status differs, and what the API server keeps of itself', () => {
    const before = web(2, { generation: 1, managedFields: 'a', status: varint(1, 1) })
    const after = web(2, { generation: 2, managedFields: 'b', status: varint(1, 2) })
    expect(judged(row(WEB, after, { oldValue: before }))).toBe('status none')
  })

  test('nothing, when it ends as it began: there and back, or made and deleted', () => {
    const there = row(WEB, web(5), { oldValue: web(2) })
    expect(judged(there, row(WEB, web(2), { oldValue: web(5) }))).toBe('status none')
    const made = row(WEB, web(5), { created: true })
    expect(judged(made, row(WEB, web(5), { deleted: true, oldValue: web(5) }))).toBe('status none')
  })

  test('spec, when its kind has no status and its third field is what somebody wants', () => {
    const key = '/registry/configmaps/default/settings'
    expect(judged(row(key, configMap('a'), { oldValue: configMap('b') }))).toBe('spec changed')
    const bound = row('/registry/rolebindings/default/r', binding(1), { oldValue: binding(2) })
    expect(judged(bound)).toBe('spec changed')
  })

  test('spec, when its bytes can not be read: encrypted, torn, or of another key', () => {
    const secret = '/registry/secrets/default/s'
    expect(judged(row(secret, sealed('a'), { oldValue: sealed('b') }))).toBe('spec changed')
    expect(judged(row('/bootstrap/abc', Buffer.from([1, 2])))).toBe('spec changed')
  })

  test('a heartbeat or a lock, whatever of it differs', () => {
    for (const key of [
      '/registry/leases/kube-node-lease/h1',
      '/registry/leases/kube-system/kube-scheduler',
      '/registry/masterleases/10.77.0.11',
      '/registry/services/endpoints/default/kubernetes',
      '/registry/endpointslices/default/kubernetes',
    ])
      expect(judged(row(key, web(1), { created: true })), key).toMatch(/^lease /)
  })

  test('somebody’s wish, when it only bears the name of a heartbeat or an event of Kubernetes', () => {
    const of = '/registry/crm.example.com'
    expect(madeAs(`${of}/leases/shop/flat-7`, 'crm.example.com/v1', 'Lease')).toBe('spec created')
    expect(madeAs(`${of}/events/shop/flat-7`, 'crm.example.com/v1', 'Event')).toBe('spec created')
    const group = '/registry/leases.example.com/contracts/shop/flat-7'
    expect(madeAs(group, 'leases.example.com/v1', 'Contract')).toBe('spec created')
    expect(madeAs('/registry/x', 'coordination.k8s.io/v1', 'Lease')).toBe('lease created')
    expect(madeAs('/registry/x', 'events.k8s.io/v1', 'Event')).toBe('event created')
  })

  test.each([
    ['discovery.k8s.io/v1', 'EndpointSlice', 'endpointslice', 'cluster-admins', 'spec'],
    [
      'discovery.k8s.io/v1',
      'EndpointSlice',
      'endpointslice',
      'endpointslice-controller.k8s.io',
      'status',
    ],
    [
      'discovery.k8s.io/v1',
      'EndpointSlice',
      'endpointslice',
      'endpointslicemirroring-controller.k8s.io',
      'status',
    ],
    ['v1', 'Endpoints', 'endpoints', 'staff', 'spec'],
    ['v1', 'Endpoints', 'endpoints', 'endpoint-controller', 'status'],
    ['apps/v1', 'Deployment', 'endpointslice', 'endpointslice-controller.k8s.io', 'spec'],
  ])(
    '%s %s with the label %s.kubernetes.io/managed-by of %s is %s: only what a controller of Kubernetes says so of its own kind is no wish',
    (apiVersion, kind, prefix, who, wanted) => {
      const labels = { [`${prefix}.kubernetes.io/managed-by`]: who }
      const slice = storedProtobuf({ apiVersion, kind, namespace: 'shop', name: 'db', labels })
      expect(judged(row('/registry/x/shop/db', slice, { created: true }))).toBe(`${wanted} created`)
    },
  )

  test("a node's own conditions and taints, but not a taint of an operator", () => {
    const unreachable = node(['node.kubernetes.io/unreachable'])
    expect(judged(row(NODE, unreachable, { oldValue: node([]) }))).toBe('status none')
    const drained = node(['example.com/drained'])
    expect(judged(row(NODE, drained, { oldValue: node([]) }))).toBe('spec changed')
  })

  test('derived, when it belongs to another object; status, when a controller keeps account in it', () => {
    const set = storedProtobuf({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace: 'default',
      name: 'web-5d8',
      owner: ['Deployment', 'web'],
    })
    const [object] = objectsOf([
      row('/registry/replicasets/default/web-5d8', set, { created: true }),
    ])
    expect(object).toMatchObject({ class: 'derived', owner: 'Deployment web' })
    const slice = storedProtobuf({
      apiVersion: 'v1',
      kind: 'Endpoints',
      namespace: 'default',
      name: 'web',
      labels: { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
    })
    const endpoints = row('/registry/services/endpoints/default/web', slice, { created: true })
    expect(judged(endpoints)).toBe('status created')
  })

  test('read in JSON as well: of a custom resource its status is no wish', () => {
    const key = '/registry/stable.example.com/crontabs/default/c'
    expect(judged(row(key, cron(1, 2), { oldValue: cron(1, 1) }))).toBe('status none')
    expect(judged(row(key, cron(2, 1), { oldValue: cron(1, 1) }))).toBe('spec changed')
    expect(judged(row(key, bare(2), { oldValue: bare(1) }))).toBe('spec changed')
  })
})

test('events and rows of our own are counted and not listed', () => {
  const branch = new BranchObjects(true)
  for (const name of ['/registry/events/default/web.1', '/registry/events/default/web.2'])
    branch.add(row(name, null, { created: true }), null)
  branch.add(row('compact_rev_key', null, { op: 'update' }), null)
  branch.add(row('twonode/branch/2', null, { created: true }), null)
  branch.add({ ...row('', null), op: 'delete', name: null }, null)
  expect([...branch.objects()]).toEqual([])
  expect(branch.counts()).toMatchObject({
    event: { objects: 2, changes: 2 },
    own: { objects: 1, changes: 3 },
    spec: { objects: 0, changes: 0 },
  })
})

test('what an object is stays readable whatever its bytes are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, marked) => {
      const value = marked ? Buffer.concat([Buffer.from('k8s\0'), bytes]) : Buffer.from(bytes)
      expect(['object', 'undefined']).toContain(typeof storedObject(value))
    }),
    { numRuns: 500 },
  )
})
