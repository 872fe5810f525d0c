import type { CommandShape } from '../core/command_shape.ts'
import type { ExitCode } from '../core/errors.ts'
import type { World } from './world.ts'

/**
 * A command as data. `--help`, docs/cli.md and the shell completions are printed from it; what it
 * does is loaded only when it runs, so that `--help` stays fast.
 */
export interface CommandSpec extends CommandShape {
  readonly load: () => Promise<CommandRun>
}

/** What was on the command line, by the names of {@link CommandSpec}. */
export interface Invocation {
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, OptionValue | undefined>>
  /** The command can do with one host of a site. */
  readonly takesLimit: boolean
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
