import type { Json, JsonObject } from './json.ts'
import type { Place } from './place.ts'
import type { Schema } from './module.ts'
import type { Site } from './site.ts'

/** Version of the plan on the wire. A runner refuses any other. */
export const PLAN_FORMAT = 1

/**
 * What one converge of one site does: the whole of it, sent once to both hosts. Secrets are not in it
 * but stand as {@link SecretRef}; their values travel beside it and never reach a disk in a plan.
 */
export interface Plan {
  readonly format: number
  /** sha256 of the bundle that compiled it: it runs in that bundle only. */
  readonly bundle: string
  readonly version: string
  readonly site: Site
  /** Resolved variables by host: five levels already merged. */
  readonly vars: Readonly<Record<string, JsonObject>>
  readonly plays: readonly PlanPlay[]
  /** By name; run at the end of the play that notified them, each once, in this order. */
  readonly handlers: readonly PlanStep[]
  readonly customModules: readonly CustomModule[]
}

/** A play boundary is a barrier, waited for only when a host has something to change before it. */
export interface PlanPlay {
  readonly id: number
  readonly name: string
  /** 'all', 'leader', 'follower' or a host's name. */
  readonly hosts: string
  /** The follower first; if it changed anything, the gate must pass on it before the leader goes. */
  readonly rolling: boolean
  readonly gate: readonly PlanStep[]
  readonly steps: readonly PlanStep[]
}

export interface PlanStep {
  /** Stable within the plan: `2.5` is play 2, task 5; `h.1` a handler; `2.g1` a gate's task. */
  readonly id: string
  readonly name: string
  readonly module: string
  /** As written: strings may hold templates, those marked x-cel hold CEL. */
  readonly args: JsonObject
  /** The variables of its play and imports, below those of the plan; they may hold templates. */
  readonly vars?: JsonObject
  /** CEL; absent: always. */
  readonly when?: string
  /** A list, or one template that gives a list. */
  readonly loop?: Json
  readonly register?: string
  readonly notify: readonly string[]
  readonly tags: readonly string[]
  /** CEL over the step's own register name; with retries and delay. */
  readonly until?: string
  readonly retries: number
  /** @unit milliseconds */
  readonly delayMs: number
  /** Bound of the whole step, all retries included. @unit milliseconds */
  readonly timeoutMs: number
  /** Names registered by other steps that its expressions read; found by walking their trees. */
  readonly reads: readonly string[]
  readonly place: Place
}

/** A task with this tag runs only when `--tags` names another of its tags (or this one). */
const NEVER = 'never'

/** True if these `--tags` choose a task with those tags; none chooses all but what never runs unasked. */
export function isChosenBy(asked: readonly string[], { tags }: Pick<PlanStep, 'tags'>): boolean {
  return asked.length === 0 ? !runsOnlyWhenAsked({ tags }) : tags.some((tag) => asked.includes(tag))
}

/** True for a task that runs only when it is asked for by a tag. */
export function runsOnlyWhenAsked({ tags }: Pick<PlanStep, 'tags'>): boolean {
  return tags.includes(NEVER)
}

/** Stands in a plan for a secret's value. */
export interface SecretRef {
  readonly $secret: string
}

export function isSecretRef(value: unknown): value is SecretRef {
  return (
    typeof value === 'object' &&
    value !== null &&
    '$secret' in value &&
    typeof value.$secret === 'string' &&
    Object.keys(value).length === 1
  )
}

export interface CustomModule {
  readonly name: string
  readonly sha256: string
  readonly source: string
  readonly schema: Schema
}

/** How to run it, decided on the command line. */
export interface RunOptions {
  readonly check: boolean
  readonly diff: boolean
  /** Steps with one of these tags, or, when empty, all that are not tagged `never`. */
  readonly tags: readonly string[]
  /** Only these hosts take part; a step that needs the other is *unknown* and named. */
  readonly limit: readonly string[]
  /** @unit milliseconds */
  readonly lockTimeoutMs: number
  readonly runId: string
  /** Who converges, from where: `ana@laptop`; written to the site file. */
  readonly by: string
  readonly allowDowngrade: boolean
  /** Step events carry what their step registers: `status` and `verify` read it. */
  readonly report?: boolean
  /** Hash big files for real, whatever is remembered: `verify` does. */
  readonly rehash?: boolean
}
