import { TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { FromRunner, ToRunner } from '../core/protocol.ts'
import type { PairState } from '../core/site.ts'
import type { Control, Observation, Passage, Verdict } from '../engine/ports.ts'

/** The controller's word on a site secret that this host asked for. */
export type SecretAnswer =
  | { readonly action: 'use'; readonly value: string }
  | { readonly action: 'make' }
  | { readonly action: 'refuse'; readonly reason: string }

/** The message by which a run begins on this host. */
type Go = Extract<ToRunner, { type: 'go' }>

/**
 * The controller, as the engine sees it: questions become messages, messages answers. It knows no
 * stream, so that two hosts and a controller fit in one process of a test.
 */
export class RemoteControl implements Control {
  readonly #send: (message: FromRunner) => void
  readonly #stop = new AbortController()
  /** Questions that wait for an answer, by what they are about. */
  readonly #waiting = new Map<string, Waiting>()
  /** Answers that came before their question. */
  readonly #early = new Map<string, unknown>()
  readonly #exports: Promise<void>[] = []
  #peerFailed: string | undefined

  constructor(send: (message: FromRunner) => void) {
    this.#send = send
  }

  get stop(): AbortSignal {
    return this.#stop.signal
  }

  peerFailed(): string | undefined {
    return this.#peerFailed
  }

  /** An event of the run. */
  readonly say = (event: Event): void => this.#send(event)

  /** Roles are known. Undefined: the controller left without a word, or said that there is nothing to do. */
  async go(): Promise<{ readonly pair: PairState; readonly solo: boolean } | undefined> {
    return await this.#answer<Go | undefined>('go')
  }

  async observed({ pending, events }: Observation): Promise<Verdict> {
    this.#send({ type: 'observed', pending, events })
    const verdict = await this.#answer<Verdict>('verdict')
    await Promise.all(this.#exports)
    return verdict
  }

  /** What the peer needs of this host goes out before this host goes on, and perhaps ends. */
  goesOutFirst(sending: Promise<void>): void {
    this.#exports.push(sending)
  }

  async barrier(done: { readonly play: number; readonly changed: boolean }): Promise<Passage> {
    this.#send({ type: 'play-done', ...done })
    if (this.#peerFailed !== undefined) return { kind: 'peer-failed', reason: this.#peerFailed }
    return await this.#answer<Passage>(`play ${done.play + 1}`)
  }

  async siteSecret(name: SiteSecretName): Promise<SecretAnswer> {
    this.#send({ type: 'need-site-secret', name })
    return await this.#answer<SecretAnswer>(`secret ${name}`)
  }

  /** What the controller says; blobs and exports are the session's. */
  receive(message: ToRunner): void {
    switch (message.type) {
      case 'go':
        return this.#resolve('go', message)
      case 'apply':
        return this.#resolve('verdict', { kind: 'apply', firstBarrier: message.firstBarrier })
      case 'proceed': {
        const { play, peerChanged } = message
        return this.#resolve(`play ${play}`, { kind: 'proceed', peerChanged } satisfies Passage)
      }
      case 'end':
        return this.end()
      case 'peer-failed':
        return this.#failPeer(message.reason)
      case 'interrupt':
        return this.halt(new TwonodeError('E_INTERRUPTED', 'interrupted'))
      case 'site-secret':
        return this.#resolveSecret(message)
      case 'plan':
      case 'blob':
      case 'no-blob':
      case 'heartbeat':
        return
      default:
        throw new Error(`unhandled message: ${(message satisfies never as ToRunner).type}`)
    }
  }

  /** No more will come. Before anything has begun that is how a run ends; later it is a loss. */
  end(): void {
    if (this.#waiting.has('go')) return this.#resolve('go', undefined)
    if (this.#waiting.has('verdict')) return this.#resolve('verdict', { kind: 'end' })
    this.halt(new TwonodeError('E_CONNECTION_LOST', 'the controller is gone'))
  }

  /** No further change begins. */
  halt(reason: TwonodeError): void {
    if (this.stop.aborted) return
    this.#stop.abort(reason)
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(reason)
  }

  #failPeer(reason: string): void {
    this.#peerFailed = reason
    for (const about of this.#waiting.keys())
      if (about.startsWith('play ')) this.#resolve(about, { kind: 'peer-failed', reason })
  }

  #resolveSecret(message: Extract<ToRunner, { type: 'site-secret' }>): void {
    const { name, action, value = '', reason = 'no reason given' } = message
    if (action === 'use') this.#resolve(`secret ${name}`, { action, value })
    if (action === 'make') this.#resolve(`secret ${name}`, { action })
    if (action === 'refuse') this.#resolve(`secret ${name}`, { action, reason })
  }

  async #answer<T>(about: string): Promise<T> {
    this.stop.throwIfAborted()
    if (this.#early.has(about)) {
      const answer = this.#early.get(about) as T
      this.#early.delete(about)
      return answer
    }
    return await new Promise<T>((resolve, reject) => {
      this.#waiting.set(about, { resolve: resolve as (answer: unknown) => void, reject })
    })
  }

  #resolve(about: string, answer: unknown): void {
    const waiting = this.#waiting.get(about)
    this.#waiting.delete(about)
    if (waiting === undefined) this.#early.set(about, answer)
    else waiting.resolve(answer)
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (reason: unknown) => void
}
