import { openSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import {
  KubeApi,
  type Answer,
  type KubeApiOptions,
  type KubeObject,
  type WatchEvent,
} from './kube_api.ts'
import type { WriterRecord } from './writer_log.ts'

/** A writer's orders, the first line of its stdin. It writes until its stdin ends. */
export interface WriterOrders extends KubeApiOptions {
  readonly name: string
  readonly logFile: string
  /** @unit milliseconds between the ends of two writes */
  readonly everyMs: number
  /** The server is to end each watch after so long, with a bookmark two seconds before; else when it likes. */
  readonly watchSeconds?: number
}

/** Bookmarks come about once a minute. @unit milliseconds */
const WATCH_IDLE_MS = 90_000

const PATH = '/api/v1/namespaces/default/configmaps'

const stop = new AbortController()

/**
 * The highest revision that each of the two clients was promised: the writer by an acknowledgement, the
 * watcher by a list or an event. What a read showed is no promise (A8): a leader that was cut off may
 * show a write that nobody acknowledged, and that is gone with it.
 */
const seen = { writer: 0, watcher: 0 }

async function main(): Promise<void> {
  const lines = createInterface(process.stdin)
  const first = await new Promise<string>((resolve) => lines.once('line', resolve))
  lines.once('close', () => stop.abort())
  const orders = JSON.parse(first) as WriterOrders
  const log = openSync(orders.logFile, 'a')
  const write = (record: WithoutTime<WriterRecord>): void => {
    const at = performance.timeOrigin + performance.now()
    // In the file before anything else happens: a log that a power cut shortens must not lie.
    writeSync(log, `${JSON.stringify({ at: Math.round(at * 1000) / 1000, ...record })}\n`)
  }
  void watchOn(orders, write)
  await writeOn(orders, write)
  // Connections and a watch may be open: nobody waits for those.
  process.exit(0)
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never
type Write = (record: WithoutTime<WriterRecord>) => void

/** Compare-and-swap after compare-and-swap on one object. */
async function writeOn(orders: WriterOrders, write: Write): Promise<void> {
  const api = new KubeApi(orders)
  let n = 0
  let base = await firstRevision(api, orders, write)
  while (!stop.signal.aborted) {
    n += 1
    write({ kind: 'try', n, base })
    const answer = await api
      .send('PUT', `${PATH}/${orders.name}`, configMap(orders.name, n, base))
      .catch((error: unknown) => String(error))
    if (typeof answer !== 'string' && answer.status === 200) {
      base = revision(answer)
      write({ kind: 'ack', n, rv: base })
      notBack('writer', base, write)
      seen.writer = Math.max(seen.writer, base)
    } else if (typeof answer !== 'string' && answer.status === 409) {
      write({ kind: 'conflict', n })
      base = (await read(api, orders, write)) ?? base
    } else {
      write({ kind: 'unknown', n, why: typeof answer === 'string' ? answer : words(answer) })
    }
    await pause(orders.everyMs)
  }
}

async function firstRevision(api: KubeApi, orders: WriterOrders, write: Write): Promise<number> {
  while (!stop.signal.aborted) {
    const made = await api
      .send('POST', PATH, configMap(orders.name, 0))
      .catch(() => ({ status: 0, body: undefined }))
    const rv =
      made.status === 201 || made.status === 409 ? await read(api, orders, write) : undefined
    if (rv !== undefined) return rv
    await pause(orders.everyMs)
  }
  return 0
}

/** Reads the object; undefined when that fails. */
async function read(api: KubeApi, orders: WriterOrders, write: Write): Promise<number | undefined> {
  const answer = await api.send('GET', `${PATH}/${orders.name}`).catch(() => undefined)
  if (answer?.status !== 200) return undefined
  const object = answer.body as KubeObject
  const rv = revision(answer)
  write({ kind: 'read', n: Number(object.data?.['n']), rv })
  notBack('writer', rv, write)
  return rv
}

/**
 * Lists and watches, as every controller does: cut off, it goes on from the last revision that it was
 * shown, and lists anew when it is told that this one is compacted.
 */
async function watchOn(orders: WriterOrders, write: Write): Promise<void> {
  const api = new KubeApi(orders)
  const mine = `fieldSelector=${encodeURIComponent(`metadata.name=${orders.name}`)}`
  const { watchSeconds = Number.POSITIVE_INFINITY } = orders
  const bound = Number.isFinite(watchSeconds) ? `&timeoutSeconds=${watchSeconds}` : ''
  let from: number | undefined
  const shown = (rv: number): void => {
    from = rv
    notBack('watcher', rv, write)
    seen.watcher = Math.max(seen.watcher, rv)
  }
  while (!stop.signal.aborted) {
    let why = 'by the server'
    const began = performance.now()
    try {
      if (from === undefined) {
        const rv = revision(await must(api.send('GET', `${PATH}?${mine}`)))
        write({ kind: 'list', rv })
        shown(rv)
      }
      const path = `${PATH}?watch=1&allowWatchBookmarks=true&${mine}${bound}&resourceVersion=${from}`
      await api.watch(
        path,
        (event) => {
          const refused = refusalOf(event)
          if (refused !== undefined) {
            why = `${refused.code} ${refused.message}`
            if (refused.code === GONE) from = undefined
            return
          }
          const { object } = event
          const rv = Number(object.metadata.resourceVersion)
          shown(rv)
          if (event.type === 'BOOKMARK') return write({ kind: 'bookmark', rv })
          write({ kind: 'event', n: Number(object.data?.['n']), rv, as: toldAs(event, orders) })
        },
        WATCH_IDLE_MS,
      )
      // What was asked for interrupts nobody.
      if (performance.now() - began < watchSeconds * 1000) write({ kind: 'watch-ended', why })
    } catch (error) {
      write({ kind: 'watch-ended', why: String(error) })
    }
    await pause(100, undefined, { signal: stop.signal }).catch(() => undefined)
  }
}

/** A watch of one's own object shows nothing else; what is shown all the same is told as what it was. */
function toldAs({ type, object }: WatchEvent, { name }: WriterOrders): string {
  return object.metadata.name === name ? type : `${type} of ${object.metadata.name}`
}

/** The revision is compacted: who has it lists anew. */
const GONE = 410

/** A watch that began ends with an event that says why, one that did not is answered with a Status. */
function refusalOf(event: WatchEvent | Refusal): Refusal | undefined {
  if (!('object' in event)) return event
  const { type, object } = event
  const { code = 0, message = '' } = object
  return type === 'ERROR' ? { code, message } : undefined
}

interface Refusal {
  readonly code: number
  readonly message: string
}

function notBack(who: 'writer' | 'watcher', got: number, write: Write): void {
  if (got < seen[who]) write({ kind: 'regression', who, seen: seen[who], got })
}

async function must(sent: Promise<Answer>): Promise<Answer> {
  const answer = await sent
  if (answer.status !== 200) throw new Error(words(answer))
  return answer
}

function configMap(name: string, n: number, base?: number): object {
  const at = base === undefined ? {} : { resourceVersion: String(base) }
  return { metadata: { name, ...at }, data: { n: String(n) } }
}

function revision({ body }: Answer): number {
  return Number((body as KubeObject).metadata.resourceVersion)
}

function words({ status, body }: Answer): string {
  const { message } = (typeof body === 'object' ? body : { message: body }) as { message?: unknown }
  return `${status} ${String(message)}`.slice(0, 200)
}

await main()
