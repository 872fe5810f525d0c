import { NotYet } from '../../src/core/errors.ts'
import type { Observer, UnitState } from '../../src/core/host.ts'
import {
  type ClusterArgs,
  clusterFiles,
  clusterPaths,
  type FoundFile,
  namesIn,
  ownedSettings,
} from './postgres_cluster_files.ts'
import { MAINTENANCE_DATABASE } from './postgres_sql.ts'
import type { Parameter } from './postgres_value.ts'

interface RunningParameter extends Parameter {
  /** Ours alone (B1), a database's or a role's: what the files say can't be told from it. */
  readonly overridden: boolean
}

/** Where a parameter is set last, of all files. */
interface LastWord {
  readonly name: string
  readonly file: string
  readonly line: number
}

/** What the server says of a line of the file on the disk, loaded or not. */
interface Complaint {
  readonly file: 'hba' | 'ident'
  readonly line: number
  readonly error: string
}

/** `silent`: it runs and does not let us in, or not yet. */
export type Server =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'answers'
      readonly parameters: readonly RunningParameter[]
      readonly lastWords: readonly LastWord[]
      readonly pendingRestart: readonly string[]
      readonly loadedAt: string
      readonly complaints: readonly Complaint[]
    }

export type State =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'present'
      readonly dataDirectory: string
      readonly files: Readonly<Record<string, FoundFile | undefined>>
      readonly server: Server
    }

export async function observeCluster(host: Observer, args: ClusterArgs): Promise<State> {
  const paths = clusterPaths(args)
  // The unit is asked for in the turn in which every other step asks for its own: one command.
  const [cluster, unit] = await Promise.all([
    observeFiles(host, args, paths),
    host.batch.unit(paths.unit),
  ])
  if (cluster === undefined) return { kind: 'missing' }
  const before = namesIn(cluster.files[paths.conf]?.content ?? '')
  const names = [...new Set([...Object.keys(ownedSettings(args)), ...before])]
  return { kind: 'present', ...cluster, server: await observeServer(host, unit, names) }
}

async function observeFiles(
  host: Observer,
  args: ClusterArgs,
  paths: ReturnType<typeof clusterPaths>,
): Promise<Pick<Extract<State, { kind: 'present' }>, 'dataDirectory' | 'files'> | undefined> {
  await requireFile(host, paths.binary, `PostgreSQL ${args.version} is not installed`)
  for (const file of Object.values(args.tls ?? {}))
    await requireFile(host, file, `there is no file ${file}`)
  const main = await host.readFile(paths.main)
  if (main === undefined) return undefined
  const dataDirectory = dataDirectoryIn(main) ?? paths.dataDirectory
  const wanted = clusterFiles(args, dataDirectory)
  const found = await Promise.all(
    wanted.map(async ({ path }) => [path, await foundFile(host, path)] as const),
  )
  return { dataDirectory, files: Object.fromEntries(found) }
}

async function requireFile(host: Observer, path: string, otherwise: string): Promise<void> {
  if ((await host.stat(path)) === undefined) throw new NotYet(otherwise)
}

async function foundFile(host: Observer, path: string): Promise<FoundFile | undefined> {
  const [content, stat] = await Promise.all([host.readFile(path), host.stat(path)])
  return content === undefined || stat === undefined ? undefined : { content, stat }
}

function dataDirectoryIn(main: string): string | undefined {
  return /^[ \t]*data_directory[ \t=]+'([^']*)'/m.exec(main)?.[1]
}

async function observeServer(
  host: Observer,
  { active, sub, mainPid }: UnitState,
  names: readonly string[],
): Promise<Server> {
  // A start under way whose server systemd does not know never ends: it is a unit of another type that was
  // changed meanwhile. What lets nobody in can be started anew.
  if (active === 'activating' && sub === 'start' && mainPid === 0) return { kind: 'silent' }
  if (active !== 'active' && active !== 'reloading') return { kind: 'stopped' }
  try {
    return await askServer(host, names)
  } catch (error) {
    if (error instanceof NotYet) return { kind: 'silent' }
    throw error
  }
}

async function askServer(host: Observer, names: readonly string[]): Promise<Server> {
  const list = JSON.stringify(names)
  const [parameters, lastWords, rest, complaints] = await Promise.all([
    host.sql<RunningParameter>(
      MAINTENANCE_DATABASE,
      `select name, setting, unit, vartype, context,
         source in ('client', 'session', 'database', 'user', 'database user') as overridden
       from pg_settings where name in (select json_array_elements_text($1::json))`,
      [list],
    ),
    host.sql<LastWord>(
      MAINTENANCE_DATABASE,
      `select distinct on (name) name, sourcefile as file, sourceline as line
       from pg_file_settings where name in (select json_array_elements_text($1::json))
       order by name, seqno desc`,
      [list],
    ),
    host.sql<{ pendingRestart: string[]; loadedAt: string }>(
      MAINTENANCE_DATABASE,
      `select array(select name from pg_settings where pending_restart) as "pendingRestart",
         pg_conf_load_time()::text as "loadedAt"`,
    ),
    host.sql<Complaint>(
      MAINTENANCE_DATABASE,
      `select 'hba' as file, line_number as line, error from pg_hba_file_rules where error is not null
       union all
       select 'ident', line_number, error from pg_ident_file_mappings where error is not null
       order by file, line`,
    ),
  ])
  const { pendingRestart, loadedAt } = rest[0] ?? { pendingRestart: [], loadedAt: '' }
  return { kind: 'answers', parameters, lastWords, pendingRestart, loadedAt, complaints }
}
