import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { readAccounts } from '../../src/host/accounts.ts'

const run = promisify(execFile)

const VERSION = 15
const BINARIES = `/usr/lib/postgresql/${VERSION}/bin`

/** Made once a machine; each instance is a copy of it. */
const TEMPLATE = `/tmp/twonode-test-postgres-${VERSION}`

/** @unit milliseconds: 0.2 s on an idle machine */
const START_TIMEOUT_MS = 30_000

/** What a throw-away cluster leaves out, so that it starts in a fifth of a second. */
const QUICK = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  max_connections: '40',
  autovacuum: 'off',
}

export interface ThrowawayPostgres {
  readonly socketDirectory: string
  readonly port: number
  readonly dataDirectory: string
  /** One statement (or several, without values) as role postgres. */
  sql<Row = Record<string, unknown>>(
    database: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]>
  /** Stops and starts the server on the same data. */
  restart(): Promise<void>
  /** Stops the server, leaves the data: `restart` brings it back. */
  halt(mode?: 'fast' | 'immediate'): Promise<void>
  /** SIGSTOP or SIGCONT to the postmaster and all its children. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Ends the server and removes its data. */
  stop(): Promise<void>
}

export interface ThrowawayOptions {
  /** Settings of postgresql.conf: `{ wal_level: 'logical' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Replaces pg_hba.conf; default: `trust` for everyone on the socket and on loopback. */
  readonly hba?: string
  /** Listen on 127.0.0.1 too, on `port`: two instances can replicate. Default: socket only. */
  readonly tcp?: boolean
}

/** A PostgreSQL of its own in a new directory below /tmp, run as user postgres. */
export async function startPostgres(options: ThrowawayOptions = {}): Promise<ThrowawayPostgres> {
  const owner = await postgresUser()
  await makeTemplate(owner)
  const socketDirectory = await mkdtemp('/tmp/twonode-pg-')
  await chown(socketDirectory, owner.uid, owner.gid)
  const dataDirectory = join(socketDirectory, 'data')
  await run('cp', ['-a', TEMPLATE, dataDirectory])
  const port = options.tcp === true ? await freePort() : 5432
  await writeFile(
    join(dataDirectory, 'postgresql.auto.conf'),
    configuration(options, socketDirectory, port),
  )
  if (options.hba !== undefined) await writeFile(join(dataDirectory, 'pg_hba.conf'), options.hba)
  const server = new Server({ dataDirectory, socketDirectory, port, owner })
  await server.start()
  return {
    socketDirectory,
    port,
    dataDirectory,
    sql: async <Row>(database: string, text: string, values: readonly unknown[] = []) =>
      await query<Row>({ socketDirectory, port, database }, text, values),
    restart: async () => {
      await server.halt('fast')
      await server.start()
    },
    halt: async (mode = 'fast') => await server.halt(mode),
    signal: async (signal) => await server.signal(signal),
    stop: async () => {
      await server.halt('immediate')
      await rm(socketDirectory, { recursive: true, force: true })
    },
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

async function postgresUser(): Promise<Owner> {
  const user = await readAccounts().user('postgres')
  if (user === undefined) throw new Error('PostgreSQL is not installed: there is no user postgres')
  return { uid: user.id, gid: user.groupId }
}

/** initdb takes 0.6 s: done once, beside the place and renamed, so that two makers do not meet. */
async function makeTemplate({ uid, gid }: Owner): Promise<void> {
  if (existsSync(join(TEMPLATE, 'PG_VERSION'))) return
  const building = await mkdtemp(`${TEMPLATE}.`)
  await chown(building, uid, gid)
  await chmod(building, 0o700)
  const options = [
    '--no-sync',
    '--auth=trust',
    '--username=postgres',
    '--encoding=UTF8',
    '--locale=C',
  ]
  await run(join(BINARIES, 'initdb'), ['-D', building, ...options], { uid, gid, cwd: '/' })
  try {
    await rename(building, TEMPLATE)
  } catch {
    // Another test was faster: its template is as good.
    await rm(building, { recursive: true, force: true })
  }
}

function configuration(
  { settings = {}, tcp }: ThrowawayOptions,
  sockets: string,
  port: number,
): string {
  const all = {
    ...QUICK,
    ...settings,
    port: String(port),
    unix_socket_directories: sockets,
    listen_addresses: tcp === true ? '127.0.0.1' : '',
  }
  return Object.entries(all)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('')
}

interface ServerPlace {
  readonly dataDirectory: string
  readonly socketDirectory: string
  readonly port: number
  readonly owner: Owner
}

class Server {
  readonly #place: ServerPlace
  #child: ChildProcess | undefined
  #said = ''

  constructor(place: ServerPlace) {
    this.#place = place
  }

  async start(): Promise<void> {
    const { dataDirectory, owner } = this.#place
    this.#said = ''
    const { uid, gid } = owner
    const as = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--pdeathsig=QUIT', '--']
    // Ends with the test's process, however that ends.
    const child = spawn('setpriv', [...as, join(BINARIES, 'postgres'), '-D', dataDirectory], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-10_000)
    })
    this.#child = child
    await this.#ready(child)
  }

  async halt(mode: 'fast' | 'immediate'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await this.#toAll(child, 'SIGCONT')
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await ended
  }

  async signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#child === undefined) throw new Error('the server does not run')
    await this.#toAll(this.#child, signal)
  }

  async #toAll({ pid }: ChildProcess, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (pid === undefined) return
    for (const one of [pid, ...(await childrenOf(pid))]) {
      try {
        process.kill(one, signal)
      } catch {
        // A worker that has ended by itself meanwhile.
      }
    }
  }

  async #ready(child: ChildProcess): Promise<void> {
    const { dataDirectory } = this.#place
    const deadline = Date.now() + START_TIMEOUT_MS
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended:\n${this.#said}`)
      if (await saysReady(dataDirectory, child.pid)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    child.kill('SIGQUIT')
    throw new Error(`PostgreSQL did not start in time:\n${this.#said}`)
  }
}

/** The postmaster's own word, which needs no right to log in. It is in the last line of its pid file. */
async function saysReady(dataDirectory: string, pid: number | undefined): Promise<boolean> {
  try {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8'))
      .trimEnd()
      .split('\n')
    // A crash leaves the file of the server before.
    return lines[0] === String(pid) && lines.at(-1)?.trim() === 'ready'
  } catch {
    return false
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text
    .trim()
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
}

async function query<Row>(
  at: { readonly socketDirectory: string; readonly port: number; readonly database: string },
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { socketDirectory: host, port, database } = at
  const client = new Client({ host, port, database, user: 'postgres', password: '' })
  client.on('error', () => {})
  await client.connect()
  try {
    const result = await client.query(text, values.length === 0 ? undefined : [...values])
    return (Array.isArray(result) ? result.at(-1) : result).rows as Row[]
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
