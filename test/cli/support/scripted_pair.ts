import type { ExitCode } from '../../../src/core/errors.ts'
import type { Counts, Event, HelloEvent } from '../../../src/core/events.ts'
import type { SiteSecretName } from '../../../src/core/host.ts'
import type { FromRunner, ToRunner } from '../../../src/core/protocol.ts'
import { advance } from '../../../src/cli/controller.ts'
import { siteOf } from '../../support/site.ts'
import { firstState, type RunInput, type RunSettings } from '../../../src/cli/run_state.ts'

export const SITE = siteOf({
  name: 'edge',
  hosts: [
    { name: 'h1', address: '10.0.0.11' },
    { name: 'h2', address: '10.0.0.12' },
  ],
  controlPlaneEndpoint: { address: '10.0.0.10', port: 6443 },
})

const NO_COUNTS: Counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }

export function settingsOf(more: Partial<RunSettings> = {}): RunSettings {
  return {
    site: SITE,
    participants: ['h1', 'h2'],
    plays: [1, 2, 3, 4].map((id) => ({ id, name: `play ${id}`, rolling: false })),
    check: false,
    lookOnly: false,
    namesLeader: true,
    version: '1.0.0',
    allowDowngrade: false,
    obtains: true,
    usesRoles: false,
    setsUpPostgres: true,
    ...more,
  }
}

export function helloOf(host: string, more: Partial<HelloEvent> = {}): HelloEvent {
  return {
    event: 'hello',
    format: 1,
    host,
    pid: 1,
    hostMeta: null,
    siteSecrets: { ca: null, 'k3s-token': null },
    appliedBy: null,
    facts: {},
    ...more,
  }
}

export function summaryOf(host: string, exitCode: ExitCode = 0): Event {
  return { event: 'host-summary', host, counts: NO_COUNTS, exitCode }
}

/** What a scripted runner will do, play by play. */
export interface Script {
  readonly hello?: Partial<HelloEvent>
  /** Plays in which it has something to change. */
  readonly pending?: readonly number[]
  readonly failsIn?: number
  /** The connection breaks in this play. */
  readonly breaksIn?: number
  /** Wants this secret in this play. */
  readonly wants?: Readonly<Record<number, SiteSecretName>>
}

/**
 * A runner that follows the protocol and refuses any message that it was not to get. It does one thing
 * a call of `act`, so that a test can try every order of two of them.
 */
export class ScriptedRunner {
  readonly name: string
  readonly received: ToRunner[] = []
  /** Plays in the order in which they began, shared by both runners. */
  readonly log: string[]
  readonly #script: Script
  readonly #settings: RunSettings
  #doing: 'hello' | 'go?' | 'observe' | 'apply?' | 'play' | 'done' | 'proceed?' | 'secret?' =
    'hello'
  #play = 1
  #firstBarrier = Number.POSITIVE_INFINITY
  #peerFailed = false
  #closed = false
  held: Partial<Record<SiteSecretName, string>> = {}
  #answers: FromRunner[] = []

  constructor(name: string, script: Script, shared: { settings: RunSettings; log: string[] }) {
    this.name = name
    this.#script = script
    this.#settings = shared.settings
    this.log = shared.log
    for (const secret of ['ca', 'k3s-token'] as const)
      if (script.hello?.siteSecrets?.[secret] != null) this.held[secret] = `${secret} of ${name}`
  }

  get waiting(): string | undefined {
    return this.#doing.endsWith('?') ? this.#doing : undefined
  }

  get over(): boolean {
    return this.#closed || this.#doing === 'done'
  }

  /** There is something to do without hearing more. */
  get able(): boolean {
    return (
      !this.over && (this.#answers.length > 0 || this.waiting === undefined || this.#peerFailed)
    )
  }

  close(): void {
    this.#closed = true
  }

  take(message: ToRunner): void {
    this.received.push(message)
    switch (message.type) {
      case 'go':
        return this.#expect('go?', 'observe')
      case 'apply':
        this.#firstBarrier = message.firstBarrier
        this.#expect('apply?', 'play')
        return this.#enter()
      case 'proceed':
        if (message.play !== this.#play) throw new Error(`${this.name}: proceed to another play`)
        this.#expect('proceed?', 'play')
        return this.#begin()
      case 'peer-failed':
        this.#peerFailed = true
        return
      case 'site-secret':
        return this.#secret(message)
      case 'plan':
      case 'blob':
      case 'no-blob':
      case 'end':
      case 'heartbeat':
      case 'interrupt':
        throw new Error(`${this.name} was not to get ${message.type}`)
      default:
        throw new Error(`unhandled message: ${JSON.stringify(message satisfies never)}`)
    }
  }

  /** Its next message, or undefined when the connection breaks. */
  act(): FromRunner | undefined {
    const answer = this.#answers.shift()
    if (answer !== undefined) return answer
    if (this.#doing === 'hello') {
      this.#doing = 'go?'
      return helloOf(this.name, this.#script.hello)
    }
    if (this.#doing === 'observe') {
      this.#doing = 'apply?'
      return {
        type: 'observed',
        pending: this.#script.pending ?? [],
        events: [summaryOf(this.name)],
      }
    }
    if (this.#peerFailed && this.waiting === 'proceed?') return this.#end(3)
    if (this.#doing === 'play') return this.#endOfPlay()
    throw new Error(`${this.name} has nothing to do in ${this.#doing}`)
  }

  #endOfPlay(): FromRunner | undefined {
    const { failsIn, breaksIn, wants, pending } = this.#script
    if (breaksIn === this.#play) {
      this.#doing = 'done'
      return undefined
    }
    if (failsIn === this.#play) return this.#end(3)
    const secret = wants?.[this.#play]
    if (secret !== undefined && this.held[secret] === undefined) {
      this.#doing = 'secret?'
      return { type: 'need-site-secret', name: secret }
    }
    this.log.push(`${this.name} ends ${this.#play}`)
    const changed = pending?.includes(this.#play) === true
    const done = { type: 'play-done', play: this.#play, changed } as const
    this.#play += 1
    if (!this.#settings.plays.some(({ id }) => id === this.#play)) return this.#end(0)
    if (this.#play >= this.#firstBarrier) {
      this.#doing = 'proceed?'
      return done
    }
    this.#begin()
    return this.act()
  }

  #enter(): void {
    if (this.#play < this.#firstBarrier) return this.#begin()
    this.#doing = 'proceed?'
    this.#answers.push({ type: 'play-done', play: this.#play - 1, changed: false })
  }

  #begin(): void {
    this.log.push(`${this.name} begins ${this.#play}`)
  }

  #end(exitCode: ExitCode): FromRunner {
    this.#doing = 'done'
    this.log.push(`${this.name} exits ${exitCode}`)
    return { event: 'host-summary', host: this.name, counts: NO_COUNTS, exitCode }
  }

  #secret(message: Extract<ToRunner, { type: 'site-secret' }>): void {
    const { name, action, value } = message
    if (action === 'export') {
      this.#answers.push({ type: 'site-secret', name, value: this.held[name] ?? '' })
      return
    }
    this.#expect('secret?', 'play')
    if (action === 'refuse') {
      this.log.push(`${this.name} is refused ${name}`)
      this.#doing = 'play'
      this.held[name] = 'none'
      return
    }
    this.held[name] = value ?? `${name} of ${this.name}`
    this.log.push(`${this.name} ${action}s ${name}`)
    if (action === 'make') this.#answers.push({ type: 'site-secret', name, value: this.held[name] })
  }

  #expect(now: ScriptedRunner['waiting'], next: 'observe' | 'play'): void {
    if (this.#doing !== now) throw new Error(`${this.name} was in ${this.#doing}, not ${now}`)
    this.#doing = next
  }
}

export interface PairRun {
  readonly exitCode: ExitCode | undefined
  readonly log: readonly string[]
  readonly events: readonly Event[]
  readonly runners: Readonly<Record<string, ScriptedRunner>>
  /** Both runners wait for something and nobody will say it. */
  readonly stuck: boolean
}

/** More messages than any run of these scripts has. */
const MOST_TURNS = 400

/** Runs two scripts against the controller; `choose` picks who acts next. */
export function runPair(
  settings: RunSettings,
  scripts: Readonly<Record<string, Script>>,
  choose: (turn: number) => number,
): PairRun {
  const log: string[] = []
  const events: Event[] = []
  const runners = Object.fromEntries(
    settings.participants.map((name) => [
      name,
      new ScriptedRunner(name, scripts[name] ?? {}, { settings, log }),
    ]),
  )
  let state = firstState(settings)
  let exitCode: ExitCode | undefined
  const take = (input: RunInput) => {
    const turn = advance(state, input)
    state = turn.state
    for (const command of turn.commands) {
      if (exitCode !== undefined) throw new Error('a command after the finish')
      if (command.kind === 'send') runners[command.host]?.take(command.message)
      if (command.kind === 'close') runners[command.host]?.close()
      if (command.kind === 'emit') events.push(command.event)
      if (command.kind === 'finish') exitCode = command.exitCode
    }
  }
  for (const host of settings.participants) take({ kind: 'connected', host })
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const able = Object.values(runners).filter((runner) => runner.able)
    const runner = able[choose(turn) % Math.max(1, able.length)]
    if (runner === undefined) break
    const message = runner.act()
    take(
      message === undefined
        ? { kind: 'ended', host: runner.name, trouble: undefined }
        : { kind: 'message', host: runner.name, message },
    )
  }
  return { exitCode, log, events, runners, stuck: exitCode === undefined }
}
