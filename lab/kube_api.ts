import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { parse } from 'yaml'
import { LabError } from './lab_error.ts'

/** An administrator's way to the Kubernetes API, as PEM texts. */
export interface Credentials {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface KubeApiOptions extends Credentials {
  /** An address of the API server: a host's, or the virtual one. */
  readonly address: string
  /** @unit milliseconds. An answer that takes longer is none. */
  readonly timeoutMs: number
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** A Kubernetes object, as far as the lab looks at it. */
export interface KubeObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly data?: Readonly<Record<string, string>>
  readonly status?: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
}

/** The credentials that a kubeconfig holds in itself, as k3s writes it. */
export function credentialsOf(kubeconfig: string): Credentials {
  const parsed = parse(kubeconfig) as {
    clusters?: { cluster?: Record<string, string> }[]
    users?: { user?: Record<string, string> }[]
  }
  const [cluster, user] = [parsed.clusters?.[0]?.cluster, parsed.users?.[0]?.user]
  return {
    ca: pem(cluster?.['certificate-authority-data']),
    cert: pem(user?.['client-certificate-data']),
    key: pem(user?.['client-key-data']),
  }
}

function pem(encoded: string | undefined): string {
  if (encoded === undefined)
    throw new LabError('the kubeconfig holds no certificates', 'Has k3s started on this host?')
  return Buffer.from(encoded, 'base64').toString('utf8')
}

/** One client of one API server: connections are kept, time-outs are errors, any status is data. */
export class KubeApi {
  readonly #options: KubeApiOptions
  readonly #agent: Agent

  constructor(options: KubeApiOptions) {
    this.#options = options
    const { ca, cert, key } = options
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4, ca, cert, key })
  }

  /** Sends one request. Rejects when there was no whole answer: what became of a write is unknown then. */
  send(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const sent = this.#request(method, path, (answer) => {
        let received = ''
        answer.setEncoding('utf8').on('data', (part: string) => (received += part))
        answer.on('error', reject)
        answer.on('end', () => {
          clearTimeout(timer)
          resolve({ status: answer.statusCode ?? 0, body: parseJson(received) })
        })
      })
      const { timeoutMs } = this.#options
      const timer = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      )
      sent.on('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      sent.end(text)
    })
  }

  /**
   * Follows a watch until it ends. Rejects when the connection breaks, resolves when the server ends it.
   * @param idleMs - a watch on which nothing comes for so long, no bookmark either, is given up.
   */
  watch(path: string, onEvent: (event: WatchEvent) => void, idleMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const sent = this.#request('GET', path, (answer) => {
        let rest = ''
        answer.setEncoding('utf8').on('data', (part: string) => {
          const lines = (rest + part).split('\n')
          rest = lines.pop() ?? ''
          try {
            for (const line of lines) onEvent(JSON.parse(line) as WatchEvent)
          } catch (error) {
            sent.destroy(error instanceof Error ? error : new Error(String(error)))
          }
        })
        answer.on('error', reject)
        answer.on('end', resolve)
      })
      // The socket's own time-out counts from its last byte.
      sent.setTimeout(idleMs, () => sent.destroy(new Error(`nothing for ${idleMs} ms`)))
      sent.on('error', reject)
      sent.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #request(
    method: string,
    path: string,
    onAnswer: (answer: IncomingMessage) => void,
  ): ClientRequest {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const options = { host: this.#options.address, port: 6443, method, path, headers }
    return request({ ...options, agent: this.#agent }, onAnswer)
  }
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: KubeObject & { readonly code?: number; readonly message?: string }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Plain words, as the server's own errors are.
    return text
  }
}
