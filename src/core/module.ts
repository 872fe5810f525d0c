import type { Change, Outcome } from './change.ts'
import type { Observer } from './host.ts'
import type { Json, JsonObject } from './json.ts'

/**
 * JSON Schema as modules write it: an object with described properties. Beyond the standard:
 * - `x-cel: true` on a string: a CEL expression, checked at compile time and evaluated by the engine,
 *   never rendered as a template;
 * - `x-file: 'text' | 'blob'` on a string: a path on the controller. The compiler replaces it:
 *   'text' by the file's content under `content` (see the file module), 'blob' by its sha256;
 * - `x-secret: true`: the value is a secret as a whole; a plain string in the playbook is refused;
 * - `x-octal: true`: a file mode, a quoted octal string;
 * - `x-cel-names: [...]`: names that exist in this expression beside the task's own, such as `result`;
 * - `x-takes-secret: true`: a secret may stand here; anywhere else one is refused;
 * - `x-form: '...'`: what a pattern or a choice asks for, in words, for the error.
 */
export type Schema = JsonObject

export interface ModuleDoc {
  /** One sentence. */
  readonly summary: string
  /** What a user must know that the arguments do not say; Markdown. */
  readonly notes?: string
  /** The upstream page that the behaviour rests on. */
  readonly source: string
  readonly examples: readonly Example[]
}

export interface Example {
  readonly title: string
  readonly args: JsonObject
}

/**
 * One kind of thing that a host can have. `observe` reads and nothing else; `diff` is pure and says
 * what to do; the second diff after its changes were applied is empty.
 */
export interface Module<Args, State> {
  /** The YAML key, snake_case; the file's name too. */
  readonly name: string
  readonly doc: ModuleDoc
  readonly schema: Schema
  /**
   * The objects this task owns, such as `file:/etc/motd`: two tasks of one host must not own the same.
   * An empty list: it owns nothing (commands, waits, assertions).
   */
  key(args: Args): readonly string[]
  observe(host: Observer, args: Args): Promise<State>
  diff(state: State, args: Args): readonly Change[]
  /**
   * False when the module's changes are actions without a state to look at afterwards (a command
   * without `creates`, a restart): the engine does not observe again. Default: true.
   */
  settles?(args: Args): boolean
  /** What `register` keeps of the state, beside changed, skipped and the last command's outcome. */
  result?(state: State, args: Args): JsonObject
  /**
   * A word on a state that no change can mend and that must stop the run (an assertion that does not
   * hold, two flags that must match): the step fails with it. Undefined: go on to diff. `evaluate`
   * judges the CEL that the task gave in its args, with what was observed as names.
   */
  refuse?(state: State, args: Args, evaluate: Evaluate): string | undefined
  /** Facts worth a person's attention that are no change: retained WAL, flags that differ. */
  notes?(state: State, args: Args): readonly string[]
  /** Judges a command by its own words (`changed_when`, `failed_when`), and a wait that was given up. */
  verdict?(outcome: NonNullable<Outcome>, args: Args, evaluate: Evaluate): Verdict
}

export interface Verdict {
  readonly changed: boolean
  /** Why it counts as failed; undefined if it does not. */
  readonly failed?: string
  /** Worth a person's attention, though nothing failed. */
  readonly note?: string
}

/** Evaluates a CEL expression of the task with these extra names. */
export type Evaluate = (expression: string, names: Readonly<Record<string, Json>>) => unknown

/** A module whose types the registry no longer knows: the engine treats args and state as opaque. */
export type AnyModule = Module<unknown, unknown>

/**
 * Ties Args and State together where a module is written, and forgets them for the registry. The
 * schema is what makes the cast honest: args are validated against it before any of these is called.
 */
export function defineModule<Args, State>(module: Module<Args, State>): AnyModule {
  return module
}

/** All modules by name. */
export type Registry = ReadonlyMap<string, AnyModule>

/** Checks args against a module's schema; empty when they fit. */
export type Validate = (module: string, args: unknown) => readonly SchemaProblem[]

export interface SchemaProblem {
  /** Path into the args: `['settings', 'port']`. */
  readonly path: readonly (string | number)[]
  readonly message: string
  /** True when `path` names a key that should not be there. */
  readonly unknownKey: boolean
  /** Nearest known name, or the allowed values. */
  readonly hint?: string
}
