import { spawn, type ChildProcess } from 'node:child_process'
import { BASE_ENVIRONMENT } from '../../host/command.ts'
import type { Faults } from '../faults.ts'
import type { Clock, Heard } from '../ports.ts'
import { Freshness } from './freshness.ts'

/** Of Debian's iputils-ping. */
const PING = '/usr/bin/ping'

/**
 * Two a round: whatever the phase, each look has seen a new one, and none is further from the next than
 * a probe's bound (see timing.ts).
 * @unit milliseconds
 */
const SHORTEST_INTERVAL_MS = 100

/** Before a ping that ended is started again: at first, and at most. @unit milliseconds */
const RESTART_MS = 500
const RESTART_MAX_MS = 5_000

/** A ping that hears nothing for so long is started anew: its route may be another by now. @unit milliseconds */
const SILENT_MS = 30_000

/** Bytes of a line without an end. */
const LINE_CHARACTERS = 4096

/** `[1700000000.123456] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.05 ms` */
const ANSWER = /^\[(\d+\.\d+)\] \d+ bytes from \S+ icmp_seq=\d+ .*\btime=([\d.]+) ms$/

export interface PingOptions {
  readonly address: string
  readonly intervalMs: number
  /** An answer that takes longer is none. @unit milliseconds */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly faults: Faults
  readonly program?: string
}

/** One ping that runs as long as the agent, and what it has heard. */
export class Ping {
  readonly #options: PingOptions
  readonly #freshness: Freshness
  readonly #everyMs: number
  #child: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #backoffMs = RESTART_MS
  #text = ''
  #heard: Heard | null = null
  #lastSign = performance.now()
  #isStopped = false

  constructor(options: PingOptions) {
    this.#options = options
    this.#everyMs = Math.max(SHORTEST_INTERVAL_MS, options.intervalMs / 2)
    this.#freshness = new Freshness(options.timeoutMs, this.#everyMs / 2)
    this.#start()
  }

  /** The newest answer since the last `take`. */
  get heard(): Heard | null {
    return this.#heard
  }

  /** The newest answer since the call before. */
  take(): Heard | null {
    if (performance.now() - this.#lastSign > SILENT_MS) {
      this.#lastSign = performance.now()
      this.#child?.kill('SIGKILL')
    }
    const heard = this.#heard
    this.#heard = null
    return heard
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#restart)
    this.#child?.kill('SIGKILL')
  }

  #start(): void {
    const { address, faults, program = PING } = this.#options
    this.#text = ''
    const child = spawn(program, ['-n', '-D', '-i', String(this.#everyMs / 1000), address], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: BASE_ENVIRONMENT,
      cwd: '/',
    })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')))
    child.once('error', (error) => {
      faults.tell('ping', `${program} can not be started: ${error.message}`)
      this.#again(child)
    })
    child.once('exit', () => this.#again(child))
  }

  #again(child: ChildProcess): void {
    if (this.#isStopped || this.#child !== child) return
    this.#child = undefined
    this.#restart = setTimeout(() => this.#start(), this.#backoffMs)
    this.#backoffMs = Math.min(2 * this.#backoffMs, RESTART_MAX_MS)
  }

  #take(text: string): void {
    const lines = (this.#text + text).slice(-LINE_CHARACTERS).split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    const { timeoutMs, clock, faults } = this.#options
    const answer = parseAnswer(line, Date.now())
    if (answer === undefined || answer.roundTripMs > timeoutMs) return
    const agoMs = this.#freshness.judge(answer.agoMs, performance.now())
    if (agoMs === null) return
    const arrivedAt = clock.now() - agoMs
    this.#heard = { sentAt: arrivedAt - answer.roundTripMs, arrivedAt }
    this.#lastSign = performance.now()
    this.#backoffMs = RESTART_MS
    faults.clear('ping')
  }
}

/** An answer in ping's words: how long it took, and how long ago it came. Undefined: it is no answer. */
export function parseAnswer(
  line: string,
  wallMs: number,
): { readonly roundTripMs: number; readonly agoMs: number } | undefined {
  const [, at, took] = ANSWER.exec(line) ?? []
  if (at === undefined || took === undefined) return undefined
  return { roundTripMs: Number(took), agoMs: wallMs - Number(at) * 1000 }
}
