import type { Plan, RunOptions } from './plan.ts'
import type { PairState } from './site.ts'
import type { SiteSecretName } from './host.ts'
import type { Event } from './events.ts'

/**
 * What passes between controller and runner, one JSON object a line in both directions. The runner's
 * events are lines of their own ({@link Event}); the rest is here. A blob's line is followed by its
 * raw bytes. The runner's standard error is free text for people.
 */
export type ToRunner =
  | {
      readonly type: 'plan'
      readonly plan: Plan
      readonly host: string
      readonly options: RunOptions
      /** Values of the plan's secret references. Never logged, never written but where a task says. */
      readonly secrets: Readonly<
        Record<string, { readonly value: string; readonly origin: string }>
      >
      /** Address of each blob known to the controller, so that the host can tell what it may ask for. */
      readonly blobs: Readonly<Record<string, { readonly size: number; readonly name: string }>>
    }
  /** Roles are known: begin to observe. `solo`: the peer takes no part in this run (--limit). */
  | { readonly type: 'go'; readonly pair: PairState; readonly solo: boolean }
  /**
   * Every host's observation is in, and someone has something to change: run the plays. Before each
   * play from `firstBarrier` on, the runner says play-done and waits for proceed.
   */
  | { readonly type: 'apply'; readonly firstBarrier: number }
  /** The barrier before play `play` is passed. `peerChanged`: observe again what was observed early. */
  | { readonly type: 'proceed'; readonly play: number; readonly peerChanged: boolean }
  /** Nothing to do anywhere, or the run is over: end with the summary. */
  | { readonly type: 'end' }
  | {
      readonly type: 'site-secret'
      readonly name: SiteSecretName
      /**
       * 'use': here it is; 'make': no host has one, make it and answer; 'export': answer with yours;
       * 'refuse': there is none and this host must not make one, for the reason given.
       */
      readonly action: 'use' | 'make' | 'export' | 'refuse'
      readonly value?: string
      readonly reason?: string
    }
  | { readonly type: 'blob'; readonly sha256: string; readonly bytes: number }
  /** The controller has no such blob, or lost its file. */
  | { readonly type: 'no-blob'; readonly sha256: string; readonly reason: string }
  | { readonly type: 'heartbeat' }
  /** Ctrl-C: end after the current change. */
  | { readonly type: 'interrupt' }
  /** The peer failed: go no further than the current play. */
  | { readonly type: 'peer-failed'; readonly reason: string }

export type FromRunner =
  | Event
  /**
   * All steps observed. `pending`: plays in which something will change or is unknown. `events` are
   * what is to be reported if the run ends here (check mode, or nothing to do on any host), the
   * host-summary last: they come along so that a converge with nothing to do costs no further turn.
   */
  | {
      readonly type: 'observed'
      readonly pending: readonly number[]
      readonly events: readonly Event[]
    }
  /** Play `play` is done (or not for this host); `changed`: anything was changed in it. */
  | { readonly type: 'play-done'; readonly play: number; readonly changed: boolean }
  | { readonly type: 'need-blob'; readonly sha256: string }
  | { readonly type: 'need-site-secret'; readonly name: SiteSecretName }
  /** Answer to 'export': it was there at the hello and is no more. */
  | { readonly type: 'no-site-secret'; readonly name: SiteSecretName }
  /** Answer to 'make' and 'export'. The only line that carries a secret towards the controller. */
  | { readonly type: 'site-secret'; readonly name: SiteSecretName; readonly value: string }
  | { readonly type: 'heartbeat' }

/** The controller says so at least this often. @unit milliseconds */
export const HEARTBEAT_MS = 5_000

/** A side that has heard nothing for this long gives the other up. @unit milliseconds */
export const SILENCE_MS = 20_000

/** Fields whose values are ours, or are looked up by: a secret that is such a word tells nothing there. */
export const PROTOCOL_WORDS: ReadonlySet<string> = new Set(
  'type event status host code hostMeta siteSecrets name sha256 level handler module register'.split(
    ' ',
  ),
)
