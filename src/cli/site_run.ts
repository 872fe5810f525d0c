import { EXIT, type ExitCode, toTrouble } from '../core/errors.ts'
import { type Counts, EVENT_FORMAT, type Event, type HostSummaryEvent } from '../core/events.ts'
import { advance } from './controller.ts'
import { firstState, type RunCommand, type RunInput, type RunSettings } from './run_state.ts'
import type { RunnerSession, SessionListener } from './runner_session.ts'

export interface BlobFile {
  readonly path: string
  readonly size: number
  readonly name: string
}

/** One site's run and what it needs of the world. */
export interface SiteRunPorts {
  readonly connect: (host: string, listener: SessionListener) => Promise<RunnerSession>
  readonly blobs: ReadonlyMap<string, BlobFile>
  readonly emit: (event: Event) => void
  readonly now: () => number
  readonly onInterrupt: (listener: () => void) => () => void
}

const NO_COUNTS: Counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }

/** Runs one site to its end: carries the controller's decisions out, and its summary is the last event. */
export async function runSite(settings: RunSettings, ports: SiteRunPorts): Promise<ExitCode> {
  const run = new SiteRun(settings, ports)
  const stopListening = ports.onInterrupt(() => run.take({ kind: 'interrupt' }))
  try {
    return await run.start()
  } finally {
    stopListening()
  }
}

class SiteRun {
  readonly #settings: RunSettings
  readonly #ports: SiteRunPorts
  readonly #sessions = new Map<string, RunnerSession>()
  readonly #summaries = new Map<string, HostSummaryEvent>()
  readonly #startedAt: number
  readonly #queue: RunInput[] = []
  #state
  #busy = false
  #finish: (exitCode: ExitCode) => void = () => {}
  #fail: (error: unknown) => void = () => {}

  constructor(settings: RunSettings, ports: SiteRunPorts) {
    this.#settings = settings
    this.#ports = ports
    this.#startedAt = ports.now()
    this.#state = firstState(settings)
  }

  async start(): Promise<ExitCode> {
    const finished = new Promise<ExitCode>((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
    })
    for (const host of this.#settings.participants) void this.#connect(host)
    try {
      return this.#summarise(await finished)
    } finally {
      for (const session of this.#sessions.values()) session.close()
    }
  }

  /** Inputs that come while one is worked on wait for their turn: decisions never overlap. */
  take(input: RunInput): void {
    this.#queue.push(input)
    if (this.#busy) return
    this.#busy = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const { state, commands } = advance(this.#state, next)
        this.#state = state
        for (const command of commands) this.#do(command)
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#busy = false
    }
  }

  async #connect(host: string): Promise<void> {
    // A runner may speak before the promise of its session is kept: decisions need the session.
    const early: RunInput[] = []
    let tell = (input: RunInput): void => void early.push(input)
    const startedAt = this.#ports.now()
    try {
      const session = await this.#ports.connect(host, {
        onMessage: (message) => tell({ kind: 'message', host, message }),
        onEnd: (trouble) => tell({ kind: 'ended', host, trouble }),
        onNote: (message) => this.#ports.emit({ event: 'note', host, level: 'info', message }),
        onProgress: (message) => {
          const elapsedMs = Math.round(this.#ports.now() - startedAt)
          this.#ports.emit({ event: 'progress', host, task: 'connecting', message, elapsedMs })
        },
      })
      this.#sessions.set(host, session)
      tell = (input) => this.take(input)
      this.take({ kind: 'connected', host })
      for (const input of early) this.take(input)
    } catch (error) {
      this.take({ kind: 'ended', host, trouble: toTrouble(error) })
    }
  }

  #do(command: RunCommand): void {
    switch (command.kind) {
      case 'send':
        return this.#sessions.get(command.host)?.send(command.message)
      case 'blob':
        return this.#sendBlob(command.host, command.sha256)
      case 'close':
        return this.#sessions.get(command.host)?.close()
      case 'emit':
        if (command.event.event === 'host-summary')
          this.#summaries.set(command.event.host, command.event)
        return this.#ports.emit(command.event)
      case 'finish':
        return this.#finish(command.exitCode)
      default:
        throw new Error(`unhandled command: ${(command satisfies never as RunCommand).kind}`)
    }
  }

  #sendBlob(host: string, sha256: string): void {
    const session = this.#sessions.get(host)
    const file = this.#ports.blobs.get(sha256)
    if (file !== undefined) session?.sendBlob(sha256, file)
    else session?.send({ type: 'no-blob', sha256, reason: 'it is not in this plan' })
  }

  #summarise(exitCode: ExitCode): ExitCode {
    const { site, participants, check } = this.#settings
    const hosts = participants.map((name) => {
      const counts = this.#summaries.get(name)?.counts ?? NO_COUNTS
      return [name, { ...counts, roundTrips: this.#sessions.get(name)?.roundTrips() ?? 0 }] as const
    })
    this.#ports.emit({
      event: 'summary',
      format: EVENT_FORMAT,
      site: site.name,
      check,
      durationMs: Math.round(this.#ports.now() - this.#startedAt),
      exitCode,
      hosts: Object.fromEntries(hosts),
    })
    return exitCode
  }
}

/** Runs of many sites beside each other: enough to be quick, few enough for one laptop. */
const SITES_AT_ONCE = 20

/** The exit codes of all jobs, at most {@link SITES_AT_ONCE} of them running. */
export async function runBounded(
  jobs: readonly (() => Promise<ExitCode>)[],
): Promise<readonly ExitCode[]> {
  const codes: ExitCode[] = jobs.map(() => EXIT.done)
  const left = [...jobs.entries()]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, job] = next
      codes[index] = await job()
    }
  }
  await Promise.all(Array.from({ length: SITES_AT_ONCE }, worker))
  return codes
}
