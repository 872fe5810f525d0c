import type { Observer } from '../../src/core/host.ts'
import { isOfHost, leaseHolder, withoutAddress } from './kubernetes_objects.ts'

export interface DeadHost {
  readonly name: string
  readonly address: string
}

/** A key to delete, or to give another value. */
export interface Correction {
  readonly name: string
  /** base64; null: the key is deleted. */
  readonly value: string | null
}

interface Stored {
  readonly name: string
  readonly value: string | null
}

/** More locks than any cluster's controllers have. */
const MOST_LEASES = 5_000

/** Where pods find the API: both kinds name the hosts of its servers. */
const ENDPOINTS = '/registry/services/endpoints/default/kubernetes'
const SLICE = '/registry/endpointslices/default/kubernetes'

/**
 * What Kubernetes still counts on of a host that is dead: the lease of its API server, the locks that
 * its processes held, and its address among those of the API. Without them the next candidate leads at
 * its next try, and not when the lock has run out. A node's own lease is no lock: that the node is gone
 * must be noticed.
 */
export async function corrections(
  host: Observer,
  database: string,
  { name, address }: DeadHost,
): Promise<readonly Correction[]> {
  const text = `
    select name, encode(value, 'base64') as value from (
      select distinct on (name) name, deleted, value from public.kine
      where name >= '/registry/leases/' and name < '/registry/leases0' or name in ('${ENDPOINTS}', '${SLICE}')
      order by name, id desc) latest
    where deleted = 0 and name not like '/registry/leases/kube-node-lease/%' limit ${MOST_LEASES}`
  const stored = await host.sql<Stored>(database, text)
  const found = stored.flatMap((one): readonly Correction[] => {
    const value = Buffer.from(one.value ?? '', 'base64')
    if (one.name === ENDPOINTS || one.name === SLICE) {
      const kind = one.name === SLICE ? 'EndpointSlice' : 'Endpoints'
      const rewritten = withoutAddress(value, address, kind)?.toString('base64')
      return rewritten === undefined ? [] : [{ name: one.name, value: rewritten }]
    }
    const holder = leaseHolder(value)
    return holder !== undefined && isOfHost(holder, name) ? [{ name: one.name, value: null }] : []
  })
  return [{ name: `/registry/masterleases/${address}`, value: null }, ...found]
}
