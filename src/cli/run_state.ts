import type { ExitCode, Trouble } from '../core/errors.ts'
import type { Event, HelloEvent } from '../core/events.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { FromRunner, ToRunner } from '../core/protocol.ts'
import type { PairState, Site } from '../core/site.ts'

/** What one run of one site is about; it does not change while it runs. */
export interface RunSettings {
  readonly site: Site
  /** Hosts that take part, in the site's order. */
  readonly participants: readonly string[]
  /** In their order; ids count up by one. */
  readonly plays: readonly {
    readonly id: number
    readonly name: string
    readonly rolling: boolean
  }[]
  readonly check: boolean
  /**
   * Of commands that only look (status, verify, facts): a host that can't be reached, or a pair in
   * disagreement, is reported, and the rest is shown all the same.
   */
  readonly lookOnly: boolean
  /** See {@link InventorySite.namesLeader}. */
  readonly namesLeader: boolean
  readonly version: string
  readonly allowDowngrade: boolean
  /** A step of the plan puts one of the site's secrets on a host. */
  readonly obtains: boolean
  /** A step of the plan depends on who leads. */
  readonly usesRoles: boolean
  /** A step of it, among those chosen, sets up PostgreSQL's cluster. */
  readonly setsUpPostgres: boolean
  /** This host goes over to a newer major version of PostgreSQL: see `upgrade`. */
  readonly overTo?: string | undefined
  /** A host of the site takes this one's place, which may have been its own name: see `replace`. */
  readonly replaces?: string | undefined
}

/** *connecting*: until the hellos are in; *observing*: until all have observed; then *applying*. */
export type Phase = 'connecting' | 'observing' | 'applying' | 'over'

export interface HostState {
  readonly name: string
  /** There is a session to send to. */
  readonly open: boolean
  readonly hello: HelloEvent | undefined
  readonly observed:
    | { readonly pending: readonly number[]; readonly events: readonly Event[] }
    | undefined
  /** The play before which it waits. */
  readonly waitsBefore: number | undefined
  /** Exit code of the error it has told; its end needs no other explanation. */
  readonly troubled: ExitCode | undefined
  /** The peer has changed something since this host was last told. */
  readonly peerNews: boolean
  /** Set once the host takes no further part. */
  readonly exitCode: ExitCode | undefined
  readonly wantsSecrets: readonly SiteSecretName[]
}

export interface RunState {
  readonly settings: RunSettings
  readonly phase: Phase
  readonly hosts: readonly HostState[]
  readonly pair: PairState | undefined
  readonly interrupts: number
  /** Values that passed through: in memory only, until the run is over. */
  readonly secrets: Partial<Readonly<Record<SiteSecretName, string>>>
  /** Who was asked to make or export one, and has not answered. */
  readonly askedFor: Partial<Readonly<Record<SiteSecretName, string>>>
  /** Who may have one that nobody has seen: no other of its kind is made. */
  readonly doubted: Partial<Readonly<Record<SiteSecretName, string>>>
  /** Why the run as a whole ended, beside what its hosts say. */
  readonly exitCodes: readonly ExitCode[]
}

export type RunInput =
  | { readonly kind: 'connected'; readonly host: string }
  | { readonly kind: 'message'; readonly host: string; readonly message: FromRunner }
  /** The connection is over, or never came to be. Without trouble: the runner ended in order. */
  | { readonly kind: 'ended'; readonly host: string; readonly trouble: Trouble | undefined }
  | { readonly kind: 'interrupt' }

export type RunCommand =
  | { readonly kind: 'send'; readonly host: string; readonly message: ToRunner }
  | { readonly kind: 'blob'; readonly host: string; readonly sha256: string }
  | { readonly kind: 'close'; readonly host: string }
  | { readonly kind: 'emit'; readonly event: Event }
  /** The last command of a run. */
  | { readonly kind: 'finish'; readonly exitCode: ExitCode }

/** A state and what is to be done on the way to it. */
export interface Turn {
  readonly state: RunState
  readonly commands: readonly RunCommand[]
}

/** The state before anything has happened. */
export function firstState(settings: RunSettings): RunState {
  const hosts = settings.participants.map((name) => ({
    name,
    open: false,
    hello: undefined,
    observed: undefined,
    waitsBefore: undefined,
    troubled: undefined,
    peerNews: false,
    exitCode: undefined,
    wantsSecrets: [],
  }))
  return {
    settings,
    phase: 'connecting',
    hosts,
    pair: undefined,
    interrupts: 0,
    secrets: {},
    askedFor: {},
    doubted: {},
    exitCodes: [],
  }
}

export function turn(state: RunState, ...commands: readonly RunCommand[]): Turn {
  return { state, commands }
}

/** Another step after a turn, its commands after those before. */
export function andThen({ state, commands }: Turn, next: (state: RunState) => Turn): Turn {
  const after = next(state)
  return { state: after.state, commands: [...commands, ...after.commands] }
}

export function changeHost(state: RunState, name: string, change: Partial<HostState>): RunState {
  const hosts = state.hosts.map((host) => (host.name === name ? { ...host, ...change } : host))
  return { ...state, hosts }
}

export function hostOf(state: RunState, name: string): HostState {
  const host = state.hosts.find((h) => h.name === name)
  if (host === undefined) throw new Error(`${name} takes no part in this run`)
  return host
}

/** It is still part of the run. */
export function isLive(host: HostState): boolean {
  return host.exitCode === undefined
}

export function send(host: HostState, message: ToRunner): readonly RunCommand[] {
  return host.open ? [{ kind: 'send', host: host.name, message }] : []
}

export function emit(event: Event): RunCommand {
  return { kind: 'emit', event }
}
