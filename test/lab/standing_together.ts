import { KubeApi } from '../../lab/kube_api.ts'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName, peerOf } from '../../lab/names.ts'
import { agentStatus, allPartsServe, arePaired, metaOf } from '../../lab/pair_view.ts'
import { adminCredentials } from '../../lab/writer_process.ts'

/** An answer that takes longer is none. @unit milliseconds */
const ANSWER_TIMEOUT_MS = 2_000

const FOLLOWS =
  "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'sync'"

/**
 * Whether the two serve as a pair, in the words of what is missing. It is what `twonode verify` looks at
 * of services, agents and replication, asked from outside and of kept connections: a verify is three
 * programs of Node and two kubectls, and a poll of it takes the time that the hosts need to start.
 */
export async function standTogether(lab: Lab): Promise<true | string> {
  const leader = leaderOf(lab)
  if (leader === undefined) return 'h1 knows no leader'
  if (!arePaired(lab)) return 'they are no pair, or the follower has no proof'
  for (const host of HOST_NAMES)
    if (!allPartsServe(lab, host)) return `Kubernetes does not serve on ${host}`
  return (await agentsAgree(lab, leader)) ?? (await followed(lab, leader)) ?? (await serve(lab))
}

/** By its address: a machine that took a host's place has another name in the site. */
function leaderOf(lab: Lab): HostName | undefined {
  const meta = metaOf(lab, 'h1')
  const address = meta?.hosts.find(({ name }) => name === meta.leader)?.address
  return HOST_NAMES.find((host) => lab.hosts[host].address === address)
}

async function agentsAgree(lab: Lab, leader: HostName): Promise<string | undefined> {
  for (const host of HOST_NAMES) {
    const { mode, peer, settled, role, promotable } = await agentStatus(lab, host)
    const says = JSON.stringify({ mode, peer, settled, role, promotable })
    const ready = mode === 'paired' && peer === 'answers' && settled === 'yes'
    if (!ready || (host === peerOf(leader) && promotable !== true)) return `${host} says ${says}`
  }
  return undefined
}

async function followed(lab: Lab, leader: HostName): Promise<string | undefined> {
  const psql = ['runuser', '-u', 'postgres', '--', 'psql', '-qtAX', 'kine', '-c', FOLLOWS]
  const { stdout } = await lab.exec(leader, psql)
  return stdout.trim() === '1' ? undefined : `${leader} has no synchronous follower`
}

async function serve(lab: Lab): Promise<true | string> {
  const { h1, h2 } = lab.hosts
  const credentials = await adminCredentials(lab, 'h1')
  for (const address of [h1.address, h2.address, lab.virtualIp]) {
    const api = new KubeApi({ ...credentials, address, timeoutMs: ANSWER_TIMEOUT_MS })
    try {
      const { status, body } = await api.send('GET', '/readyz')
      if (status !== 200) return `${address} is not ready: ${JSON.stringify(body)}`
    } finally {
      api.close()
    }
  }
  return true
}
