import type { ExitCode, Trouble } from './errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { SiteSecretName } from './host.ts'

/** Version of the event stream; raised when a field changes meaning. Additions do not raise it. */
export const EVENT_FORMAT = 1

/**
 * Everything that a run reports, one JSON object a line. Terminal and `--json` are renderers of the
 * same events. `host` is always there but on the controller's own.
 */
export type Event =
  | HelloEvent
  | StepEvent
  | ProgressEvent
  | NoteEvent
  | BarrierEvent
  | TroubleEvent
  | HostSummaryEvent
  | SummaryEvent

/** A runner's first line: what the controller must know before it says go. */
export interface HelloEvent {
  readonly event: 'hello'
  readonly format: number
  readonly host: string
  readonly pid: number
  /** Text of the host's hostMeta file, null when it has none. */
  readonly hostMeta: string | null
  /** sha256 of the public part (CA certificate) or of the secret (token), null when it has none. */
  readonly siteSecrets: Readonly<Record<SiteSecretName, string | null>>
  /** Who converged the host last, from the site file. */
  readonly appliedBy: { readonly version: string; readonly by: string; readonly at: string } | null
  readonly facts: JsonObject
  /** Major version of PostgreSQL whose cluster starts with the host, where twonode has set one up. */
  readonly postgresMajor?: number
  /** The host's clock when it said so, milliseconds since 1970: `verify` compares the two. */
  readonly clockMs?: number
}

export type StepStatus = 'ok' | 'changed' | 'would-change' | 'unknown' | 'skipped' | 'failed'

export interface StepEvent {
  readonly event: 'step'
  readonly host: string
  readonly play: string
  readonly task: string
  readonly module: string
  readonly status: StepStatus
  /** A handler's run, or a handler left over from an earlier, interrupted run. */
  readonly handler?: 'notified' | 'left-over'
  /** The loop's item, printable. */
  readonly item?: Json
  readonly changes?: readonly ChangeReport[]
  /** Why it is unknown or was skipped. */
  readonly reason?: string
  readonly notes?: readonly string[]
  /** What the step registers; only in runs that ask for it (`options.report`), such as status. */
  readonly result?: JsonObject
  /** The name it registers it under. */
  readonly register?: string
  readonly trouble?: Trouble
  readonly durationMs: number
}

export interface ChangeReport {
  readonly summary: string
  /** Unified diff, secrets masked. */
  readonly diff?: string
}

/** Something that takes over a second is under way. */
export interface ProgressEvent {
  readonly event: 'progress'
  readonly host: string
  readonly task: string
  readonly message: string
  /** @unit milliseconds since the step began */
  readonly elapsedMs: number
}

export interface NoteEvent {
  readonly event: 'note'
  readonly host?: string
  readonly level: 'info' | 'warning'
  readonly message: string
}

/** A host waits for its peer before the next play. */
export interface BarrierEvent {
  readonly event: 'barrier'
  readonly host: string
  readonly play: string
}

/** The host (or, without one, the run) ends with this. */
export interface TroubleEvent {
  readonly event: 'trouble'
  readonly host?: string
  readonly trouble: Trouble
}

export interface Counts {
  readonly ok: number
  readonly changed: number
  readonly failed: number
  readonly unknown: number
  readonly skipped: number
}

/** A runner's last line. */
export interface HostSummaryEvent {
  readonly event: 'host-summary'
  readonly host: string
  readonly counts: Counts
  readonly exitCode: ExitCode
}

/** The last line of a run. */
export interface SummaryEvent {
  readonly event: 'summary'
  readonly format: number
  readonly site: string
  readonly check: boolean
  /** @unit milliseconds */
  readonly durationMs: number
  readonly exitCode: ExitCode
  readonly hosts: Readonly<Record<string, Counts & { readonly roundTrips: number }>>
}

/** Where events go. */
export type Emit = (event: Event) => void
