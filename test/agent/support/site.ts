import type { LivenessSettings, Site } from '../../../src/core/site.ts'

/** Site `lab` on loopback: h1 127.0.0.1, h2 127.0.0.2. */
export function siteOf(
  over: Partial<Omit<Site, 'liveness'>> & { readonly liveness?: Partial<LivenessSettings> } = {},
): Site {
  const { liveness, ...rest } = over
  return {
    name: 'lab',
    hosts: [
      { name: 'h1', address: '127.0.0.1' },
      { name: 'h2', address: '127.0.0.2' },
    ],
    initialLeader: 'h1',
    controlPlaneEndpoint: { address: '127.0.0.1', port: 1 },
    virtualIp: null,
    gateways: ['127.0.0.1'],
    partition: 'availability',
    witness: null,
    reconcile: { intervalMs: 300_000 },
    replication: { acceptLossBytes: 0, maxSlotWalKeepMb: 4096 },
    postgres: { version: 15, port: 5432, database: 'kine', dataDirectory: '/none', settings: {} },
    kine: { version: '0', binary: {}, port: 2379 },
    k3s: { version: '0', binary: {}, clusterCidr: '', serviceCidr: '', config: {} },
    stateDirectory: '/tmp',
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
