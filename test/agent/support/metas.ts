import { HOST_META_FORMAT, type HostMeta } from '../../../src/pair/host_meta.ts'

/** A hostMeta of site `lab` with h1 and h2, led by h1. */
export function metaOf(over: Partial<HostMeta> = {}): HostMeta {
  const leader = over.leader ?? 'h1'
  const roleOf = (name: string) => (name === leader ? 'leader' : 'follower')
  return {
    format: HOST_META_FORMAT,
    site: 'lab',
    term: 2,
    branch: 1,
    began: 'first',
    fork: null,
    mode: 'paired',
    leader,
    slot: 'h2_1_1',
    hosts: [
      { name: 'h1', address: '127.0.0.1', role: roleOf('h1') },
      { name: 'h2', address: '127.0.0.2', role: roleOf('h2') },
    ],
    controlPlaneEndpoint: '127.0.0.10:6443',
    lastModified: '2026-01-01T00:00:00.000Z',
    ...over,
  }
}
