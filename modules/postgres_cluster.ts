import type { Change, Exec } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { identifier } from '../src/core/sql.ts'
import {
  type ClusterArgs,
  type ClusterFile,
  clusterFiles,
  clusterPaths,
  fileChanges,
  namesIn,
  ownedSettings,
} from './parts/postgres_cluster_files.ts'
import { CLUSTER_SCHEMA } from './parts/postgres_cluster_schema.ts'
import { observeCluster, type Server, type State } from './parts/postgres_cluster_state.ts'
import { awaitSql, MAINTENANCE_DATABASE, reloadSettings, sql } from './parts/postgres_sql.ts'
import { runsWith } from './parts/postgres_value.ts'

type Present = State & { kind: 'present' }

/** initdb takes a second, on a slow disk ten. @unit milliseconds */
const CREATE_TIMEOUT_MS = 120_000

/** Shutdown with its checkpoint, and crash recovery (C3). @unit milliseconds */
const RESTART_TIMEOUT_MS = 180_000

/** From "it runs" to "it lets us in". @unit milliseconds */
const ANSWER_TIMEOUT_MS = 60_000

/** Lines of the server's log that explain why it did not start. */
const LOG_LINES = '20'

export const postgresCluster = defineModule<ClusterArgs, State>({
  name: 'postgres_cluster',
  doc: {
    summary:
      "A PostgreSQL cluster in Debian's layout: it exists, runs, and runs with these settings.",
    notes:
      '`pg_hba.conf` and `pg_ident.conf` are owned whole, settings stand in `conf.d/twonode.conf`. The ' +
      "lines that let root in as postgres come first. New settings are judged by the server's own " +
      'parser before they replace the old ones, rules right after, and put back when it complains. The ' +
      'server is restarted only if a setting changed that needs it, else told to read its files again. ' +
      'ALTER SYSTEM on a setting that stands here is undone.',
    source: 'https://www.postgresql.org/docs/15/config-setting.html',
    examples: [
      {
        title: 'For logical replication with certificates',
        args: {
          version: 15,
          listen_addresses: ['*'],
          settings: { wal_level: 'logical', wal_retrieve_retry_interval: '200ms' },
          hba: [
            {
              type: 'hostssl',
              database: 'kine',
              user: 'kine',
              address: '10.77.0.12/32',
              method: 'cert',
            },
          ],
        },
      },
    ],
  },
  schema: CLUSTER_SCHEMA,

  key(args) {
    const { directory, conf, hba, ident } = clusterPaths(args)
    return [
      `postgres_cluster:${directory}`,
      ...[conf, hba, ident].map((path) => `file:${path}`),
      ...Object.keys(ownedSettings(args)).map((name) => `postgres_setting:${name}`),
    ]
  },

  observe: observeCluster,

  refuse(state, args) {
    if (state.kind === 'missing') return undefined
    const wanted = args.data_directory
    if (wanted !== undefined && wanted !== state.dataDirectory)
      return `the cluster's data is in ${state.dataDirectory}, not in ${wanted}: it is not moved`
    return overruled(state, args) ?? broken(state, args)
  },

  diff(state, args): readonly Change[] {
    if (state.kind === 'missing') return createChanges(args)
    const files = clusterFiles(args, state.dataDirectory)
    const changes = files.flatMap((file) => fileChanges(file, state.files[file.path]))
    const resets = storedSettings(state.server, args).map((name) =>
      sql(MAINTENANCE_DATABASE, `alter system reset ${name.split('.').map(identifier).join('.')}`),
    )
    return [
      ...changes,
      ...resets,
      ...serverChanges(state, args, changes.length + resets.length > 0),
    ]
  },

  result: (state) =>
    state.kind === 'missing'
      ? { exists: false }
      : {
          exists: true,
          running: state.server.kind !== 'stopped',
          data_directory: state.dataDirectory,
        },

  notes(state) {
    if (state.kind === 'missing' || state.server.kind !== 'answers') return []
    const { pendingRestart } = state.server
    if (pendingRestart.length === 0) return []
    return [`${pendingRestart.join(', ')} take effect when PostgreSQL is restarted`]
  },
})

/** Set by ALTER SYSTEM over our heads. */
function storedSettings(server: Server, args: ClusterArgs): readonly string[] {
  if (server.kind !== 'answers') return []
  const owned = ownedSettings(args)
  const stored = server.lastWords.filter(({ file }) => file.endsWith('/postgresql.auto.conf'))
  return stored.map(({ name }) => name).filter((name) => name in owned)
}

/** A later line of another file, which our file can't win against. */
function overruled({ server, files }: Present, args: ClusterArgs): string | undefined {
  const { conf } = clusterPaths(args)
  const ours = namesIn(files[conf]?.content ?? '')
  if (server.kind !== 'answers' || ours.length === 0) return undefined
  const elsewhere = server.lastWords.filter(
    ({ name, file }) =>
      ours.includes(name) && file !== conf && !file.endsWith('/postgresql.auto.conf'),
  )
  if (elsewhere.length === 0) return undefined
  const places = elsewhere.map(({ name, file, line }) => `${name} by ${file}:${line}`).join(', ')
  return `${conf} is overruled: ${places}. Remove these lines, or the task's settings; conf.d must be included last`
}

/**
 * The rules of this task, on the disk already: a cut came between their writing and the server's word.
 * Writing them again would be refused; other rules than these are about to be replaced.
 */
function broken({ server, files, dataDirectory }: Present, args: ClusterArgs): string | undefined {
  if (server.kind !== 'answers') return undefined
  const paths = clusterPaths(args)
  const wanted = clusterFiles(args, dataDirectory)
  const complaint = server.complaints.find(({ file }) =>
    wanted.some(({ path, content }) => path === paths[file] && files[path]?.content === content),
  )
  if (complaint === undefined) return undefined
  return `PostgreSQL refuses ${paths[complaint.file]}, line ${complaint.line}: ${complaint.error}`
}

function createChanges(args: ClusterArgs): readonly Change[] {
  const { version, name, port, data_directory } = args
  const paths = clusterPaths(args)
  const files = clusterFiles(args, data_directory ?? paths.dataDirectory)
  const where = data_directory === undefined ? [] : ['--datadir', data_directory]
  const create = ['pg_createcluster', String(version), name, '--port', String(port), ...where]
  const initdb = ['--start-conf', 'auto', '--', '--encoding=UTF8', '--locale=C.UTF-8']
  return [
    { kind: 'exec', argv: [...create, ...initdb], timeoutMs: CREATE_TIMEOUT_MS },
    // It writes its own, and a cluster of this name that was dropped has left ours: they are new files.
    ...[paths.ident, paths.hba, paths.conf].map(
      (path) => ({ kind: 'remove', path, recursive: false }) as const,
    ),
    ...files.flatMap((file: ClusterFile) => fileChanges(file, undefined)),
    ...systemctl('start', args),
  ]
}

/** What makes the server run, and run with its files. */
function serverChanges(
  { server }: Present,
  args: ClusterArgs,
  written: boolean,
): readonly Change[] {
  // A host that boots may have started it, with the old files, since we looked.
  if (server.kind === 'stopped') return systemctl(written ? 'restart' : 'start', args)
  // Which settings need a restart can't be asked; nobody can be using a server that lets nobody in.
  if (server.kind === 'silent') return systemctl('restart', args)
  const wanted = ownedSettings(args)
  const differing = server.parameters.filter((parameter) => {
    const value = wanted[parameter.name]
    // No longer set by us: it goes back to what it was without our line.
    if (value === undefined) return true
    return !parameter.overridden && !runsWith(value, parameter)
  })
  if (differing.some(({ context }) => context === 'postmaster')) return systemctl('restart', args)
  return written || differing.length > 0 ? reloadSettings(server) : []
}

function systemctl(verb: 'start' | 'restart', args: ClusterArgs): readonly Change[] {
  const { version, name } = args
  const { unit, log } = clusterPaths(args)
  const diagnose = ['tail', '-n', LOG_LINES, log]
  const command = (argv: readonly string[]): Exec => ({
    kind: 'exec',
    argv,
    diagnose,
    timeoutMs: RESTART_TIMEOUT_MS,
  })
  return [
    command(['systemctl', verb, unit]),
    // Debian's unit starts with ExecStart=-: systemctl reports success for a server that ended.
    command(['pg_ctlcluster', String(version), name, 'status']),
    awaitSql('PostgreSQL to let us in', MAINTENANCE_DATABASE, 'select true', {
      timeoutMs: ANSWER_TIMEOUT_MS,
    }),
  ]
}
