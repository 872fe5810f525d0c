import { setTimeout as pause } from 'node:timers/promises'
import { historyProgram } from './artefacts.ts'
import { run } from './command.ts'
import { KubeApi, type Answer, type Credentials, type KubeObject } from './kube_api.ts'
import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import { until } from './wait.ts'

/**
 * A compare-and-swap of the object's value, as its client saw it. Conflicts tell nothing and are left
 * out, and so are reads, which promise nothing (A8). Unknown: no answer, or one that leaves it open.
 */
export interface Swap {
  readonly client: number
  readonly kind: 'cas'
  readonly base: number
  readonly value: number
  readonly outcome: 'ok' | 'unknown'
  /** Of one clock for all clients. @unit microseconds */
  readonly call: number
  readonly return: number
}

/** An answer that takes longer is none. @unit milliseconds */
const ANSWER_TIMEOUT_MS = 1_500

/** Between two swaps of one client. @unit milliseconds */
const EVERY_MS = 40

/** Of the judge, whose own bound is a minute. @unit milliseconds */
const JUDGE_TIMEOUT_MS = 90_000

const PATH = '/api/v1/namespaces/default/configmaps'

export interface Recorder {
  /** What has been recorded until now. */
  readonly swaps: readonly Swap[]
  /** Ends all clients, and gives the whole history. */
  stop(): Promise<readonly Swap[]>
}

/** One client at each host's API server, all of them on one object. */
export async function startRecorder(
  lab: Lab,
  { name, credentials }: { readonly name: string; readonly credentials: Credentials },
): Promise<Recorder> {
  const swaps: Swap[] = []
  const stop = new AbortController()
  let values = 0
  const apis = HOST_NAMES.map((host) => apiOf(lab, host, credentials))
  const made = async (): Promise<true | undefined> => {
    const answer = await apis[0]?.send('POST', PATH, objectOf(name, 0)).catch(() => undefined)
    return answer?.status === 201 || answer?.status === 409 || undefined
  }
  await until(`the object ${name}`, made, { timeoutMs: 30_000, everyMs: 100 })
  const clients = apis.map(async (api, client) => {
    while (!stop.signal.aborted) {
      const found = await read(api, name)
      if (found !== undefined) {
        values += 1
        const swap = { client, kind: 'cas', base: found.value, value: values } as const
        const call = now()
        const outcome = await swapOnce(api, objectOf(name, values, found.revision))
        if (outcome !== 'conflict') swaps.push({ ...swap, outcome, call, return: now() })
      }
      await pause(EVERY_MS)
    }
    api.close()
  })
  return {
    swaps,
    async stop() {
      stop.abort()
      await Promise.all(clients)
      return swaps
    },
  }
}

/** Whether there is an order of all swaps, each between its call and its return, in which each was right. */
export async function isLinearizable(swaps: readonly Swap[]): Promise<boolean> {
  const program = await historyProgram()
  const stdin = swaps.map((swap) => `${JSON.stringify(swap)}\n`).join('')
  const { code, stdout, stderr } = await run([program], { stdin, timeoutMs: JUDGE_TIMEOUT_MS })
  if (code === 0 || code === 1) return code === 0
  throw new LabError(`the history was not judged: ${stdout}${stderr}`, 'Look at lab/history.')
}

const now = (): number => Math.round(performance.now() * 1_000)

function apiOf(lab: Lab, host: HostName, credentials: Credentials): KubeApi {
  const { address } = lab.hosts[host]
  return new KubeApi({ ...credentials, address, timeoutMs: ANSWER_TIMEOUT_MS })
}

async function read(
  api: KubeApi,
  name: string,
): Promise<{ readonly value: number; readonly revision: string } | undefined> {
  const answer = await api.send('GET', `${PATH}/${name}`).catch(() => undefined)
  if (answer?.status !== 200) return undefined
  const { data, metadata } = answer.body as KubeObject
  return { value: Number(data?.['n']), revision: metadata.resourceVersion }
}

async function swapOnce(
  api: KubeApi,
  object: ReturnType<typeof objectOf>,
): Promise<Swap['outcome'] | 'conflict'> {
  const answer: Answer | undefined = await api
    .send('PUT', `${PATH}/${object.metadata.name}`, object)
    .catch(() => undefined)
  if (answer?.status === 200) return 'ok'
  return answer?.status === 409 ? 'conflict' : 'unknown'
}

function objectOf(name: string, value: number, resourceVersion?: string) {
  const at = resourceVersion === undefined ? {} : { resourceVersion }
  return { metadata: { name, ...at }, data: { n: String(value) } }
}
