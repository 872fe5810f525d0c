import type { ExitCode } from './errors.ts'

/** What `--help` and the reference say of a command: data, which they are printed from. */
export interface CommandShape {
  readonly name: string
  /** One line for the list of commands. */
  readonly brief: string
  /** What the line can not say; Markdown, one paragraph each. */
  readonly notes?: readonly string[]
  readonly arguments: readonly ArgumentSpec[]
  readonly options: readonly OptionSpec[]
  readonly exits: readonly ExitCode[]
  readonly examples: readonly string[]
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
