import type { Change } from '../src/core/change.ts'
import type { UnitState } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { clusterPaths } from './parts/postgres_cluster_files.ts'
import { CLUSTER_NAME, type OwnCluster, ownClusters, startFile } from './parts/postgres_clusters.ts'

interface Args {
  readonly version: number
  /** The version that others may give way to; 0: none does. */
  readonly over_to: number
  readonly leads: boolean
}

interface Neighbour extends OwnCluster {
  readonly runs: boolean
  /** Text of its start.conf. */
  readonly start: string | undefined
}

interface State {
  readonly own: OwnCluster | undefined
  readonly ownStart: string | undefined
  /** Clusters of ours of other versions, the oldest first. */
  readonly others: readonly Neighbour[]
}

/** Shutdown with its checkpoint. @unit milliseconds */
const STOP_TIMEOUT_MS = 180_000

/** @unit milliseconds */
const RELOAD_TIMEOUT_MS = 30_000

export const postgresMajor = defineModule<Args, State>({
  name: 'postgres_major',
  doc: {
    summary: "One major version's cluster serves, and those of others stand still.",
    notes:
      'Only clusters that twonode has set up are looked at. One of an older version is stopped and no ' +
      'longer starts with the host; its data stays where it is. That is done only where `over_to` names ' +
      'the version, and on no leader: a new cluster is empty, and is filled from the leader. A cluster ' +
      'never gives way to an older version.',
    source: 'https://manpages.debian.org/bookworm/postgresql-common/pg_createcluster.1.en.html',
    examples: [
      { title: 'As it is', args: { version: 15, over_to: 0, leads: true } },
      { title: 'Over to 17, on a follower', args: { version: 17, over_to: 17, leads: false } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['version', 'leads'],
    properties: {
      version: {
        type: 'integer',
        minimum: 15,
        maximum: 30,
        description: 'Major version that is to serve.',
      },
      over_to: {
        type: 'integer',
        minimum: 0,
        maximum: 30,
        default: 0,
        description: 'The same, where an older cluster may give way to it.',
      },
      leads: { type: 'boolean', description: 'This host leads.' },
    },
  },

  key: ({ version }) => [`file:${startFile(version)}`],

  async observe(host, { version }) {
    const clusters = await ownClusters(host)
    const others = await Promise.all(
      clusters
        .filter((cluster) => cluster.version !== version)
        .map(async (cluster): Promise<Neighbour> => {
          const [unit, start] = await Promise.all([
            host.batch.unit(unitOf(cluster.version)),
            host.readFile(startFile(cluster.version)),
          ])
          return { ...cluster, runs: isUp(unit), start }
        }),
    )
    return {
      own: clusters.find((cluster) => cluster.version === version),
      ownStart: await host.readFile(startFile(version)),
      others,
    }
  },

  refuse({ others }, { version, over_to, leads }) {
    const inTheWay = others.find(isInTheWay)
    if (inTheWay === undefined) return undefined
    const serves = `PostgreSQL ${inTheWay.version} serves here, and ${version} is asked for`
    if (inTheWay.version > version)
      return `${serves}: a cluster never gives way to an older version`
    if (over_to !== version)
      return `${serves}: \`twonode upgrade --postgres-major ${version}\` changes that, one host after the other`
    return leads
      ? `${serves}: this host leads, and a new cluster is empty; hand the lead over first`
      : undefined
  },

  diff({ own, ownStart, others }, { version }): readonly Change[] {
    const stopped = others
      .filter(isInTheWay)
      .flatMap((other) => [
        ...(other.starts ? startsWith(other.version, 'disabled', other.start) : []),
        ...(other.runs ? [systemctl(STOP_TIMEOUT_MS, 'stop', unitOf(other.version))] : []),
      ])
    // A move that was cut has left the one that serves as it leaves all others.
    const back = own?.starts === false ? startsWith(version, 'auto', ownStart) : []
    return [...stopped, ...back]
  },

  result: ({ others }) => ({ others: others.map((other) => other.version) }),
})

function isUp({ active }: UnitState): boolean {
  return active !== 'inactive' && active !== 'failed'
}

function isInTheWay({ starts, runs }: Neighbour): boolean {
  return starts || runs
}

function unitOf(version: number): string {
  return clusterPaths({ version, name: CLUSTER_NAME }).unit
}

/** systemd's generator has made its links of these words: it is asked again. */
function startsWith(version: number, word: string, before: string | undefined): readonly Change[] {
  return [
    {
      kind: 'write',
      path: startFile(version),
      content: `${word}\n`,
      mode: 0o644,
      owner: 'postgres',
      group: 'postgres',
      before,
    },
    systemctl(RELOAD_TIMEOUT_MS, 'daemon-reload'),
  ]
}

function systemctl(timeoutMs: number, ...words: readonly string[]): Change {
  return { kind: 'exec', argv: ['systemctl', ...words], timeoutMs }
}
