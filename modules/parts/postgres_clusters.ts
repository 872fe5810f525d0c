import type { Observer } from '../../src/core/host.ts'
import { clusterPaths } from './postgres_cluster_files.ts'

/** A cluster on this host that twonode has set up: it has our file of settings. */
export interface OwnCluster {
  readonly version: number
  /** It starts with the host. */
  readonly starts: boolean
}

const FOLDER = '/etc/postgresql'

/** The name of every cluster of ours, as the playbooks have it. */
export const CLUSTER_NAME = 'main'

/** Says whether a cluster starts with the host: `auto`, `manual` or `disabled`. @source pg_createcluster(1) */
export function startFile(version: number): string {
  return `${clusterPaths({ version, name: CLUSTER_NAME }).directory}/start.conf`
}

/** Our clusters, the oldest version first. One that a package made is none until it has our settings. */
export async function ownClusters(host: Observer): Promise<readonly OwnCluster[]> {
  const names = (await host.list(FOLDER)) ?? []
  const versions = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    versions.toSorted((a, b) => a - b).map(async (version) => await ownCluster(host, version)),
  )
  return found.flatMap((cluster) => cluster ?? [])
}

async function ownCluster(host: Observer, version: number): Promise<OwnCluster | undefined> {
  const { conf } = clusterPaths({ version, name: CLUSTER_NAME })
  const [settings, start] = await Promise.all([
    host.readFile(conf),
    host.readFile(startFile(version)),
  ])
  if (settings === undefined) return undefined
  return { version, starts: startWord(start) === 'auto' }
}

/** The word that counts in a start.conf; Debian's own default without one is `auto`. */
export function startWord(text: string | undefined): string {
  const words = (text ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim())
  return words.find((word) => word !== '') ?? 'auto'
}

/** The version that serves, or would after a boot; undefined: no cluster of ours does. */
export function servingMajor(clusters: readonly OwnCluster[]): number | undefined {
  return clusters.findLast(({ starts }) => starts)?.version
}
