import type { Observer } from '../../src/core/host.ts'
import { isOfHost, leaseHolder } from './kubernetes_lease.ts'

export interface DeadHost {
  readonly name: string
  readonly address: string
}

/** More locks than any cluster's controllers have; the newest are not worth more than the oldest. */
const MOST_LEASES = 5_000

/**
 * Keys by which Kubernetes still counts on a host that is dead: the lease of its API server, and the
 * locks that its processes held. Without them the next candidate leads at its next try, and not when
 * the lock has run out. A node's own lease is no lock: that the node is gone must be noticed.
 */
export async function deadHostKeys(
  host: Observer,
  database: string,
  { name, address }: DeadHost,
): Promise<readonly string[]> {
  const text = `
    select name, encode(value, 'base64') as value from (
      select distinct on (name) name, deleted, value from public.kine
      where name >= '/registry/leases/' and name < '/registry/leases0'
      order by name, id desc) latest
    where deleted = 0 and name not like '/registry/leases/kube-node-lease/%' limit ${MOST_LEASES}`
  const leases = await host.sql<{ name: string; value: string | null }>(database, text)
  const held = leases.filter(({ value }) => {
    const holder = value === null ? undefined : leaseHolder(Buffer.from(value, 'base64'))
    return holder !== undefined && isOfHost(holder, name)
  })
  return [`/registry/masterleases/${address}`, ...held.map((lease) => lease.name)]
}
