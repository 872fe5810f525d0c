import { type HostMeta, serialiseHostMeta } from '../../../src/pair/host_meta.ts'
import { SITE } from './scripted_pair.ts'

/** What a host of the scripted pair holds: paired, in term 2, led by h1. */
export function hostMetaText(more: Partial<HostMeta> = {}): string {
  const leader = more.leader ?? 'h1'
  const role = (name: string) => (name === leader ? ('leader' as const) : ('follower' as const))
  return serialiseHostMeta({
    format: 1,
    site: 'edge',
    term: 2,
    branch: 1,
    mode: 'paired',
    leader,
    slot: 'h2_1_1',
    began: more.branch === undefined || more.branch === 1 ? 'first' : 'promotion',
    fork: null,
    hosts: SITE.hosts.map((host) => ({ ...host, role: role(host.name) })),
    controlPlaneEndpoint: '10.0.0.10:6443',
    lastModified: '2026-11-21T00:00:00Z',
    ...more,
  })
}
