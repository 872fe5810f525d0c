import type { Event } from '../core/events.ts'
import type { Host } from '../core/host.ts'
import type { Json } from '../core/json.ts'
import type { Registry, Validate } from '../core/module.ts'
import type { Plan, PlanStep, RunOptions } from '../core/plan.ts'
import type { Clock } from './clock.ts'
import type { Journal } from './journal.ts'

/**
 * What expressions and templates can name on this host: vars, host, peer, site, facts, what was
 * registered, and the loop's item. Secrets are in it as themselves, tainted.
 */
export type Names = Readonly<Record<string, unknown>>

/** Renders templates and judges expressions. Throws the error of the place when they don't hold. */
export interface Evaluator {
  /** The args with every template rendered; a value that a secret went into is a secret. */
  renderArgs(step: PlanStep, names: Names): unknown
  when(step: PlanStep, names: Names): boolean
  /** The items, or undefined for a step without a loop. */
  loop(step: PlanStep, names: Names): readonly unknown[] | undefined
  /** One CEL expression of this step. */
  evaluate(expression: string, step: PlanStep, names: Names): unknown
  /** True if any text of the step names this: "needs the other host" is told by it. */
  mentions(step: PlanStep, name: string): boolean
}

/** Who decides beside this host: a controller over SSH, or the agent on the spot. */
export interface Control {
  /** The observation is told, the verdict awaited. */
  observed(report: Observation): Promise<Verdict>
  /** Play `play` is over here. Resolves when this host may begin the next one, or never will. */
  barrier(done: { readonly play: number; readonly changed: boolean }): Promise<Passage>
  /** Aborted when no further change may begin; its reason is the error to end with. */
  readonly stop: AbortSignal
  /** Why the peer can't go on, once it can't. */
  peerFailed(): string | undefined
}

export interface Observation {
  readonly pending: readonly number[]
  readonly events: readonly Event[]
}

export type Verdict =
  | { readonly kind: 'end' }
  /** Run the plays; wait at the barrier before each play from this one on. */
  | { readonly kind: 'apply'; readonly firstBarrier: number }

export type Passage =
  /** `peerChanged`: early observations are worth nothing any more. */
  | { readonly kind: 'proceed'; readonly peerChanged: boolean }
  | { readonly kind: 'peer-failed'; readonly reason: string }

/** The right to change this host, one run at a time. */
export interface Lock {
  /**
   * Waits for it, within its bound. Throws E_LOCKED. `again`: in the middle of a run, which waits as
   * long as it takes rather than end half-way.
   */
  take(stop: AbortSignal, how?: { readonly again: boolean }): Promise<Taken>
  release(): Promise<void>
}

export interface Taken {
  /** Another run held it since this one last did: what was observed before may be wrong. */
  readonly otherHeldIt: boolean
}

/** All that a run needs; it knows neither stdin nor a clock of its own. */
export interface Run {
  readonly plan: Plan
  readonly options: RunOptions
  readonly host: Host
  readonly role: 'leader' | 'follower'
  /** The peer takes no part: what needs it is unknown, not wrong. */
  readonly solo: boolean
  /**
   * Nothing is observed before its turn: for a run that is known to change most of what it looks at, and
   * is in a hurry.
   */
  readonly straight?: boolean
  /** Names that hold for every step; see {@link Names}. */
  readonly names: Names
  /**
   * The same as they hold by now: whoever took the host while the lock was free may have changed what
   * is recorded of the pair. Throws E_ROLES when this host's role is another one.
   */
  readonly namesNow: () => Promise<Names>
  readonly registry: Registry
  readonly validate: Validate
  readonly evaluator: Evaluator
  readonly control: Control
  readonly lock: Lock
  readonly journal: Journal
  readonly clock: Clock
  /** Where a run that changed something leaves its name. */
  readonly appliedFile: string
  readonly emit: (event: Event) => void
}

/** What a step registers. */
export type Registered = { readonly [name: string]: Json }
