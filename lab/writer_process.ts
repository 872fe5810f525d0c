import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { credentialsOf, KubeApi, type Credentials, type KubeObject } from './kube_api.ts'
import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import type { HostName } from './names.ts'
import type { WriterOrders } from './writer.ts'
import { judge, parseWriterLog, type Verdict, type WriterRecord } from './writer_log.ts'
import { until } from './wait.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** An answer that takes longer is none. @unit milliseconds */
const ANSWER_TIMEOUT_MS = 1_500

/** Between two writes: what the numbers of the bench and the demo are measured with. @unit milliseconds */
const EVERY_MS = 20

export interface Writer {
  readonly name: string
  readonly stopped: boolean
  /** What it has logged until now. */
  log(): WriterRecord[]
  /** Ends it and gives its whole log. */
  stop(): Promise<WriterRecord[]>
}

export interface WriterOptions {
  /** Name of the ConfigMap that it writes to: one writer each. */
  readonly name: string
  /** Whose API server, or `virtualIp`. */
  readonly to: HostName | 'virtualIp'
  /** Where it runs: on this machine (the laptop), or inside a host, whose fate it then shares. */
  readonly from?: HostName
  /** Between the ends of two writes. @unit milliseconds @default 20 */
  readonly everyMs?: number
  /** Its watch is to be ended by the server after so long, and goes on; else when the server likes. */
  readonly watchSeconds?: number
  readonly credentials: Credentials
}

/** The administrator's certificate, which both hosts' API servers take. */
export async function adminCredentials(lab: Lab, host: HostName): Promise<Credentials> {
  const file = await lab.exec(host, ['cat', '/etc/rancher/k3s/k3s.yaml'])
  if (file.code !== 0)
    throw new LabError(`${host} has no kubeconfig: ${file.stderr.trim()}`, 'Has k3s started there?')
  return credentialsOf(file.stdout)
}

/** Starts a writer and waits for its first acknowledged write. */
export async function startWriter(lab: Lab, options: WriterOptions): Promise<Writer> {
  const { name, to, from, everyMs = EVERY_MS, watchSeconds, credentials } = options
  const directory = join(lab.directory, 'writers')
  mkdirSync(directory, { recursive: true })
  const logFile = join(directory, `${name}.ndjson`)
  rmSync(logFile, { force: true })
  const address = to === 'virtualIp' ? lab.virtualIp : lab.hosts[to].address
  const program = [process.execPath, join(ROOT, 'dist/writer.mjs')]
  const [file = '', ...args] =
    from === undefined ? program : ['ip', 'netns', 'exec', lab.hosts[from].netns, ...program]
  // Its stdin is its life: it ends with this process, however that ends.
  const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'inherit'], cwd: '/' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  const bound = watchSeconds === undefined ? {} : { watchSeconds }
  const timing = { everyMs, ...bound, timeoutMs: ANSWER_TIMEOUT_MS }
  const orders: WriterOrders = { name, logFile, address, ...timing, ...credentials }
  child.stdin.write(`${JSON.stringify(orders)}\n`)
  const log = (): WriterRecord[] =>
    existsSync(logFile) ? parseWriterLog(readFileSync(logFile, 'utf8')) : []
  await until(
    `the first write of ${name} at ${address}`,
    () => (log().some(({ kind }) => kind === 'ack') ? true : undefined),
    { timeoutMs: 30_000, everyMs: 50 },
  )
  let stopped = false
  return {
    name,
    get stopped() {
      return stopped
    },
    log,
    async stop() {
      stopped = true
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 2 * ANSWER_TIMEOUT_MS)
      await ended
      clearTimeout(timer)
      return log()
    },
  }
}

/** What became of a writer's acknowledged writes, by the object as a host's API server shows it now. */
export async function verdict(
  lab: Lab,
  {
    name,
    log,
    credentials,
  }: { name: string; log: readonly WriterRecord[]; credentials: Credentials },
  at: HostName,
): Promise<Verdict> {
  const api = new KubeApi({ ...credentials, address: lab.hosts[at].address, timeoutMs: 5_000 })
  try {
    const object = await until(
      `${at}'s API server to show ${name}`,
      async () => {
        const answer = await api
          .send('GET', `/api/v1/namespaces/default/configmaps/${name}`)
          .catch(() => undefined)
        return answer?.status === 200 ? (answer.body as KubeObject) : undefined
      },
      { timeoutMs: 30_000, everyMs: 200 },
    )
    const n = Number(object.data?.['n'])
    return judge(log, { n, rv: Number(object.metadata.resourceVersion) })
  } finally {
    api.close()
  }
}
