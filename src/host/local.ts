import type { Readable } from 'node:stream'
import { $, quote } from 'zx/core'
import { NotYet, TwonodeError } from '../core/errors.ts'
import {
  EXEC_TIMEOUT_MS,
  type ExecOptions,
  type ExecResult,
  type Host,
  type Observer,
  type SiteSecretName,
  type SqlBounds,
  type SqlValue,
  type WriteOptions,
} from '../core/host.ts'
import { reveal } from '../core/secret.ts'
import { readAccounts, type Accounts } from './accounts.ts'
import { createBatch } from './batch.ts'
import { inspectCertificate, issueCertificate } from './certificates.ts'
import {
  BASE_ENVIRONMENT,
  beginCommand,
  BoundedOutput,
  cannotStart,
  exitCode,
  findCommand,
  runCommand,
  standardStreams,
  tookTooLong,
  watch,
} from './command.ts'
import { createDigests, type Digests } from './digest.ts'
import { listDirectory, readText, statPath } from './files.ts'
import { installArtifact } from './install.ts'
import { changeAttributes, makeDirectory, makeLink, removePath } from './paths.ts'
import { createPostgres, type Postgres } from './postgres.ts'
import type { PostgresOptions } from './postgres_session.ts'
import { isReachable } from './reachable.ts'
import { createSalvager } from './salvage.ts'
import { stageText, type Ownership } from './staged_file.ts'

/**
 * zx hands a command to bash as one argument, which the kernel bounds at 128 KiB. Longer ones go
 * without a shell. @unit characters
 */
const LONGEST_COMMAND_LINE = 100_000

/**
 * Where digests of big files are remembered; losing it costs one hashing. Beside our programs and not
 * in /var/lib/twonode: a check, too, may write here.
 */
const DIGESTS_PATH = '/opt/twonode/digests.json'

/** What a host can't do by itself: whoever runs it gives it these. */
export interface LocalHostOptions {
  readonly name: string
  /** The converge's lock while it is held: every command inherits it, so that an orphan keeps it. */
  readonly lockFd?: () => number | undefined
  /** Puts a secret of the site into its place; see createSiteSecrets. */
  readonly obtain?: (name: SiteSecretName) => Promise<void>
  /** The bytes of an artifact that the controller holds. */
  readonly blob?: (sha256: string) => Promise<Readable>
  readonly socketDirectory?: string
  readonly port?: number
  /** The role that SQL is spoken as. */
  readonly postgresUser?: string
  readonly now?: () => number
  /** Null: nothing is remembered between runs. */
  readonly digestsPath?: string | null
  /** Hash big files for real, whatever is remembered. */
  readonly rehash?: boolean
  /** Holds passwd and group. */
  readonly accountsDirectory?: string
  /** Commands are started without bash between: an agent's promotion waits for each of them. */
  readonly direct?: boolean
}

/** The machine that this process runs on. Close it at the end of the run. */
export interface LocalHost extends Host {
  /** For so long, PostgreSQL that is starting is waited for; see createPostgres. */
  awaitServer(ms: number): void
  close(): Promise<void>
}

export function createLocalHost(options: LocalHostOptions): LocalHost {
  const accounts = readAccounts(options.accountsDirectory)
  const digests = createDigests({
    memoPath: options.digestsPath === null ? undefined : (options.digestsPath ?? DIGESTS_PATH),
    rehash: options.rehash ?? false,
  })
  const server: PostgresOptions = {
    socketDirectory: options.socketDirectory ?? '/var/run/postgresql',
    port: options.port ?? 5432,
    user: options.postgresUser ?? 'postgres',
  }
  const postgres = createPostgres(server)
  const salvager = createSalvager(server)
  return {
    ...createObserver(options, { accounts, digests, postgres }),
    ...createWriter(options, accounts),
    salvage: salvager.save,
    transaction: postgres.transaction,
    awaitServer: postgres.awaitServer,
    close: async () => {
      salvager.end()
      await Promise.all([postgres.close(), digests.save()])
    },
  }
}

interface Parts {
  readonly accounts: Accounts
  readonly digests: Digests
  readonly postgres: Postgres
}

function createObserver(
  { name, lockFd, direct = false, now = Date.now }: LocalHostOptions,
  { accounts, digests, postgres }: Parts,
): Observer {
  return {
    name,
    exec: async (argv, more = {}) =>
      await execute(argv, more, { accounts, lockFd: lockFd?.(), direct }),
    readFile: readText,
    stat: async (path) => await statPath(path, accounts),
    list: listDirectory,
    digest: digests.of,
    sql: async <Row>(
      database: string,
      text: string,
      values: readonly SqlValue[] = [],
      bounds?: SqlBounds,
    ) => await postgres.query<Row>(database, { text, values }, bounds),
    certificate: inspectCertificate,
    reachable: isReachable,
    batch: createBatch(accounts),
    now,
  }
}

function createWriter(
  { blob = refuseBlob, obtain = refuseSecret }: LocalHostOptions,
  accounts: Accounts,
): Omit<Host, keyof Observer | 'transaction' | 'salvage'> {
  const owned = async (wanted: Omit<WriteOptions, 'expected'>) => await ownership(wanted, accounts)
  const stage: Host['stage'] = async (path, content, wanted) =>
    await stageText(path, content, await owned(wanted), wanted.expected)
  return {
    stage,
    writeFile: async (path, content, wanted) => {
      const staged = await stage(path, content, wanted)
      try {
        await staged.commit()
      } catch (error) {
        await staged.discard()
        throw error
      }
    },
    setAttributes: async (path, { mode, owner, group }) =>
      await changeAttributes(path, {
        ...(mode === undefined ? {} : { mode }),
        ...(owner === undefined ? {} : { uid: await userId(owner, accounts) }),
        ...(group === undefined ? {} : { gid: await groupId(group, accounts) }),
      }),
    makeDirectory: async (path, wanted) => await makeDirectory(path, await owned(wanted)),
    makeLink,
    remove: removePath,
    install: async (request) => await installArtifact(request, await owned(request), blob),
    issue: async (request) =>
      await issueCertificate(request, await owned({ ...request, mode: 0o600 })),
    obtain,
  }
}

async function refuseBlob(sha256: string): Promise<never> {
  throw new TwonodeError('E_DOWNLOAD', `nobody here can send the artifact ${sha256.slice(0, 12)}…`)
}

async function refuseSecret(name: SiteSecretName): Promise<never> {
  throw new TwonodeError('E_FAILED', `nobody here can give the site's ${name}`)
}

async function ownership(
  { mode, owner, group }: Omit<WriteOptions, 'expected'>,
  accounts: Accounts,
): Promise<Ownership> {
  return { mode, uid: await userId(owner, accounts), gid: await groupId(group, accounts) }
}

async function userId(name: string, accounts: Accounts): Promise<number> {
  const id = (await accounts.user(name))?.id ?? numeric(name)
  if (id === undefined) throw new TwonodeError('E_MISSING', `there is no user ${name}`)
  return id
}

async function groupId(name: string, accounts: Accounts): Promise<number> {
  const id = (await accounts.groupId(name)) ?? numeric(name)
  if (id === undefined) throw new TwonodeError('E_MISSING', `there is no group ${name}`)
  return id
}

function numeric(name: string): number | undefined {
  return /^\d+$/.test(name) ? Number(name) : undefined
}

interface Starting {
  readonly accounts: Accounts
  readonly lockFd: number | undefined
  readonly direct: boolean
}

/** Runs argv through zx: quoted word by word, in its own process group, bounded in time and output. */
async function execute(
  argv: readonly string[],
  options: ExecOptions,
  { accounts, lockFd, direct }: Starting,
): Promise<ExecResult> {
  const { timeoutMs = EXEC_TIMEOUT_MS } = options
  const [words, env] = await asUser(argv, options, accounts)
  if (options.background === true) return await beginCommand(words, env)
  const input = options.stdin === undefined ? '' : reveal(options.stdin)
  if (direct || words.join(' ').length > LONGEST_COMMAND_LINE)
    return await runCommand(words, { stdin: input, timeoutMs, env, lockFd })

  const [stdout, stderr] = [new BoundedOutput(), new BoundedOutput()]
  const running = $({
    shell: '/bin/bash',
    // bash becomes the command: its signals and its exit code are the command's own.
    prefix: 'exec ',
    postfix: '',
    quote,
    cwd: '/',
    env,
    input,
    stdio: standardStreams(input !== '', lockFd),
    store: { stdout: chunksInto(stdout), stderr: chunksInto(stderr), stdall: chunksInto() },
    detached: true,
    nothrow: true,
    quiet: true,
    verbose: false,
  })`${words}`
  const guard = running.child === undefined ? undefined : watch(running.child, timeoutMs)
  const output = await running
  if (output.cause !== null) throw cannotStart(argv, output.cause)
  if (guard?.timedOut() === true) throw tookTooLong(argv, timeoutMs, stderr.text())
  const code = exitCode(output.exitCode, output.signal)
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** zx keeps all output in the arrays that it is given: these pass it on, bounded. */
function chunksInto(output?: BoundedOutput): Buffer[] {
  const chunks: Buffer[] = []
  chunks.push = (...added) => {
    for (const chunk of added) output?.add(chunk)
    return 0
  }
  return chunks
}

/** The words to run, and what they see around them. */
async function asUser(
  argv: readonly string[],
  { user, env = {} }: ExecOptions,
  accounts: Accounts,
): Promise<readonly [string[], Record<string, string>]> {
  const [name = '', ...rest] = argv
  if (argv.some((word) => word.includes('\0')))
    throw new TwonodeError('E_FAILED', `${name}: an argument holds a NUL byte`)
  const words = [await findCommand(name), ...rest]
  if (user === undefined) return [words, { ...BASE_ENVIRONMENT, ...env }]
  const account = await accounts.user(user)
  if (account === undefined) throw new NotYet(`there is no user ${user}`)
  const own = { HOME: account.home, USER: user, LOGNAME: user }
  return [
    [
      await findCommand('setpriv'),
      `--reuid=${account.id}`,
      `--regid=${account.groupId}`,
      '--init-groups',
      '--',
      ...words,
    ],
    { ...BASE_ENVIRONMENT, ...own, ...env },
  ]
}
