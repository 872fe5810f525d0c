import { UNRESTRICTED } from '../../src/core/restriction.ts'
import type { LivenessSettings, Site } from '../../src/core/site.ts'

/** A pair's site with nothing special in it: h1, the first leader, and h2. */
export function siteOf(
  over: Partial<Omit<Site, 'liveness'>> & { readonly liveness?: Partial<LivenessSettings> } = {},
): Site {
  const { liveness, ...rest } = over
  return {
    name: 'lab',
    hosts: [
      { name: 'h1', address: '192.0.2.1' },
      { name: 'h2', address: '192.0.2.2' },
    ],
    initialLeader: 'h1',
    controlPlaneEndpoint: { address: '192.0.2.10', port: 6443 },
    virtualIp: null,
    gateways: [],
    partition: 'availability',
    witness: null,
    fencing: null,
    reconcile: { intervalMs: 300_000 },
    replication: { acceptLossBytes: 0, maxSlotWalKeepMb: 4096 },
    salvage: { keep: 3, maxSizeMb: 1024 },
    postgres: {
      version: 15,
      port: 5432,
      database: 'kine',
      dataDirectory: '/var/lib/postgresql/15/main',
      settings: {},
    },
    kine: { version: '0', binary: {}, port: 2379 },
    k3s: {
      version: '0',
      binary: {},
      images: [],
      clusterCidr: '10.42.0.0/16',
      serviceCidr: '10.43.0.0/16',
      config: {},
    },
    stateDirectory: '/var/lib/twonode',
    restricted: UNRESTRICTED,
    bundle: { allowedSigners: [] },
    ...rest,
    liveness: {
      intervalMs: 1_000,
      failures: 4,
      port: 8622,
      script: null,
      scriptIntervalMs: 10_000,
      scriptTimeoutMs: 5_000,
      ...liveness,
    },
  }
}
