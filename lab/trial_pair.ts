import { LabError } from './lab_error.ts'
import type { Lab } from './lab.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import { allPartsServe } from './pair_view.ts'
import { until } from './wait.ts'

/**
 * A pair is one again before the returned host's Kubernetes is: a controller manager that has not begun
 * takes no lock from anybody, and how long k3s needs to start is another question.
 */
export async function kubernetesServes(lab: Lab, timeoutMs: number): Promise<void> {
  await until(
    'every part of Kubernetes to serve on both hosts',
    () => HOST_NAMES.every((host) => allPartsServe(lab, host)) || undefined,
    { timeoutMs },
  )
}

/**
 * What an operator does who has looked: so many changes in an hour freeze the pair, and one that is to
 * change its leader again and again would be frozen for as long as that goes on.
 */
export async function countAnew(lab: Lab): Promise<void> {
  for (const host of HOST_NAMES) {
    const { code, stderr } = await lab.exec(host, ['/usr/local/bin/twonode', 'resume'])
    if (code !== 0) throw new LabError(`${host} does not resume: ${stderr}`, 'Look at its agent.')
  }
}

/** Tables that a host keeps of histories that were not its leader's (A2): one more after each copy. */
export async function keptTables(lab: Lab, host: HostName): Promise<number> {
  const query = "select count(*) from pg_namespace where nspname like 'twonode_branch_%'"
  return Number(await kineRow(lab, host, query))
}

/** The one value that a query of kine's database gives. */
export async function kineRow(lab: Lab, host: HostName, query: string): Promise<string> {
  const argv = ['runuser', '-u', 'postgres', '--', 'psql', '-qtAX', 'kine', '-c', query]
  return (await lab.exec(host, argv)).stdout.trim()
}
