import type { SalvageClass, SalvagedObject } from '../core/salvage.ts'
import type { StoredObject } from './stored_object.ts'

/** Keys of kine's own, and of ours. */
const OWN = /^(?:compact_rev_key|gap-|twonode\/|\/registry\/health$)/

/** What is a heartbeat, a lock or a list of who lives, whatever is in it. */
const LEASES =
  /^\/registry\/(?:(?:leases|masterleases|peerserverleases)\/|services\/endpoints\/default\/kubernetes$|endpointslices\/default\/kubernetes$)/

/** The API server's own account of which addresses and ports its services have. */
const RANGES = /^\/registry\/ranges\//

/**
 * How endpoints say that a controller of Kubernetes' own keeps them. People who write some are asked to put
 * a word of theirs there, and mean what they write.
 * @source https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management
 */
const KEPT_BY: readonly {
  readonly kind: string
  readonly group: string
  readonly label: string
  readonly values: readonly string[]
}[] = [
  {
    kind: 'EndpointSlice',
    group: 'discovery.k8s.io',
    label: 'endpointslice.kubernetes.io/managed-by',
    values: ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'],
  },
  {
    kind: 'Endpoints',
    group: '',
    label: 'endpoints.kubernetes.io/managed-by',
    values: ['endpoint-controller'],
  },
]

/** What is known of an object by its key alone; undefined: its bytes have to be looked at. */
export function classOfKey(key: string): SalvageClass | undefined {
  if (OWN.test(key)) return 'own'
  if (LEASES.test(key)) return 'lease'
  if (key.startsWith('/registry/events/')) return 'event'
  return RANGES.test(key) ? 'status' : undefined
}

/** An object at the fork and at the branch's end; undefined: not there, or it can not be read. */
export interface TwoVersions {
  readonly key: string
  readonly change: SalvagedObject['change']
  readonly before: StoredObject | undefined
  readonly after: StoredObject | undefined
}

/** What its change is. What can not be told counts as wanted. */
export function classify({ key, change, before, after }: TwoVersions): SalvageClass {
  const known = classOfKey(key)
  if (known !== undefined) return known
  const object = after ?? before
  if (object === undefined) return 'spec'
  const group = groupOf(object)
  if (object.kind === 'Event' && ['', 'events.k8s.io'].includes(group)) return 'event'
  if (object.kind === 'Lease' && group === 'coordination.k8s.io') return 'lease'
  if (change === 'none') return 'status'
  // A controller keeps it, by what it sees of pods and nodes: a status under another name.
  if (isKeptByController(object)) return 'status'
  return object.owner === null ? 'spec' : 'derived'
}

/** Kinds of other groups may have the same name: `Lease` of crm.example.com. */
function groupOf({ apiVersion }: StoredObject): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
}

function isKeptByController(object: StoredObject): boolean {
  return KEPT_BY.some(
    ({ kind, group, label, values }) =>
      object.kind === kind &&
      groupOf(object) === group &&
      values.includes(object.labels[label] ?? ''),
  )
}
