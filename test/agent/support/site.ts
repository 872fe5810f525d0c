import type { Site } from '../../../src/core/site.ts'
import { siteOf } from '../../support/site.ts'

/** Site `lab` on loopback, where nothing listens but what a test has started. */
export function loopbackSite(over: Parameters<typeof siteOf>[0] = {}): Site {
  const hosts = [
    { name: 'h1', address: '127.0.0.1' },
    { name: 'h2', address: '127.0.0.2' },
  ] as const
  const none = siteOf().postgres
  return siteOf({
    hosts,
    controlPlaneEndpoint: { address: '127.0.0.1', port: 1 },
    gateways: ['127.0.0.1'],
    postgres: { ...none, dataDirectory: '/none' },
    stateDirectory: '/tmp',
    ...over,
  })
}
