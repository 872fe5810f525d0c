import { KubeApi, type Credentials, type KubeObject } from './kube_api.ts'
import type { Lab } from './lab.ts'
import type { HostName } from './names.ts'
import { seenWithin } from './wait.ts'

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const LOCK = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager'

/** Whose controller manager holds the lock, by the host's API server. */
export async function controllersAt(
  lab: Lab,
  { credentials, by }: { readonly credentials: Credentials; readonly by: HostName },
): Promise<string | undefined> {
  const api = new KubeApi({ ...credentials, address: lab.hosts[by].address, timeoutMs: 5_000 })
  try {
    const lease = (await api.send('GET', LOCK)).body as KubeObject
    // `host_uuid`: a controller manager's identity.
    return String(lease.spec?.['holderIdentity']).split('_')[0]
  } finally {
    api.close()
  }
}

/**
 * Makes a Deployment through a host's API server, as soon as it takes it, and waits until its controller
 * has looked at it: then leader-elected controllers work. Gives the moment of wall time; undefined if
 * not in time.
 */
export async function firstReconcile(
  lab: Lab,
  probe: {
    readonly name: string
    readonly by: HostName
    readonly credentials: Credentials
    readonly timeoutMs: number
  },
): Promise<number | undefined> {
  const address = lab.hosts[probe.by].address
  const api = new KubeApi({ ...probe.credentials, address, timeoutMs: 1_500 })
  const deadline = Date.now() + probe.timeoutMs
  const inTime = (holds: () => Promise<boolean>): Promise<boolean> =>
    seenWithin(() => holds().catch(() => false), {
      timeoutMs: deadline - Date.now(),
      everyMs: 20,
    })
  try {
    const made = await inTime(async () => {
      const { status } = await api.send('POST', DEPLOYMENTS, deployment(probe.name))
      // 409: an earlier try was done after all.
      return status === 201 || status === 409
    })
    const looked = await inTime(async () => {
      const { body } = await api.send('GET', `${DEPLOYMENTS}/${probe.name}`)
      return Number((body as KubeObject).status?.['observedGeneration'] ?? 0) >= 1
    })
    return made && looked ? Date.now() : undefined
  } finally {
    api.close()
  }
}

/** Without replicas: nothing is to run, somebody is to look. */
function deployment(name: string): object {
  const labels = { probe: name }
  const containers = [{ name: 'none', image: 'none' }]
  return {
    metadata: { name },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    },
  }
}
