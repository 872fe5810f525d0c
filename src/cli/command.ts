import type { ExitCode } from '../core/errors.ts'
import type { World } from './world.ts'

/**
 * A command as data. `--help`, docs/cli.md and the shell completions are printed from it; what it
 * does is loaded only when it runs, so that `--help` stays fast.
 */
export interface CommandSpec {
  readonly name: string
  /** One line for the list of commands. */
  readonly brief: string
  /** What the line can not say; Markdown, one paragraph each. */
  readonly notes?: readonly string[]
  readonly arguments: readonly ArgumentSpec[]
  readonly options: readonly OptionSpec[]
  readonly exits: readonly ExitCode[]
  readonly examples: readonly string[]
  readonly load: () => Promise<CommandRun>
}

export interface ArgumentSpec {
  /** As commander writes it: `[playbook]`, `<module>`, `[args...]`. */
  readonly syntax: string
  readonly description: string
}

export interface OptionSpec {
  /** As commander writes it: `-i, --inventory <file>`. */
  readonly flags: string
  readonly description: string
  /** May be given several times; commas separate as well unless `whole`. */
  readonly many?: 'comma' | 'whole'
  readonly choices?: readonly string[]
  /** The command can not do without it. */
  readonly required?: boolean
}

/** What was on the command line, by the names of {@link CommandSpec}. */
export interface Invocation {
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, OptionValue | undefined>>
}

export type OptionValue = string | boolean | readonly string[]

export type CommandRun = (invocation: Invocation, world: World) => Promise<ExitCode>

/** A flag's text; undefined when it was not given. */
export function textOption({ options }: Invocation, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

export function flagOption({ options }: Invocation, name: string): boolean {
  return options[name] === true
}

export function listOption({ options }: Invocation, name: string): readonly string[] {
  const value = options[name]
  return Array.isArray(value) ? value : []
}
