import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommandShape, OptionSpec } from '../core/command_shape.ts'
import { TwonodeError } from '../core/errors.ts'
import { HOST_COMMANDS } from '../core/host_commands.ts'
import type { Json, JsonObject } from '../core/json.ts'

/** What a person typed on a host: one of its commands, or that help is wanted. */
export type Typed =
  | { readonly kind: 'help'; readonly text: string }
  | (TypedCommand & { readonly kind: 'command' })

export interface TypedCommand {
  readonly name: string
  readonly words: readonly string[]
  /** By their long names as they are typed, without dashes; `--json` is not among them. */
  readonly options: JsonObject
  readonly json: boolean
}

/**
 * Reads one command line of a host against {@link HOST_COMMANDS}.
 *
 * @throws TwonodeError E_USAGE, which names the command whose help to read
 */
export function readHostCommand(argv: readonly string[], columns = 80): Typed {
  const [first = '--help'] = argv
  const spec = HOST_COMMANDS.find(({ name }) => name === first)
  if (spec === undefined && !first.startsWith('-') && first !== 'help') throw unknown(first)
  const read: { command?: TypedCommand; help: string } = { help: '' }
  const program = buildProgram(columns, {
    help: (text) => void (read.help += text),
    take: (command) => void (read.command = command),
  })
  try {
    program.parse(spec === undefined ? ['--help', ...argv.slice(1)] : [...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'help', text: read.help }
    throw usage(error, first)
  }
  if (read.command === undefined) return { kind: 'help', text: read.help }
  return { kind: 'command', ...read.command }
}

interface Reading {
  readonly help: (text: string) => void
  readonly take: (command: TypedCommand) => void
}

function buildProgram(columns: number, reading: Reading): Command {
  const program = new Command('twonode')
    // Before the subcommands: they inherit it when they are made.
    .exitOverride()
    .configureOutput({
      writeOut: reading.help,
      writeErr: () => {},
      getOutHelpWidth: () => columns,
      getOutHasColors: () => false,
    })
    .description('twonode on this host: asks its agent. All else is run from a laptop.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand(false)
  for (const spec of HOST_COMMANDS) addCommand(program, spec, reading)
  return program
}

function addCommand(program: Command, spec: CommandShape, { take }: Reading): void {
  // The list shows the brief alone; who asks for one command has no page at hand.
  const about = [spec.brief, ...(spec.notes ?? [])].join('\n\n')
  const command = program.command(spec.name).summary(spec.brief).description(about)
  for (const { syntax, description } of spec.arguments) command.argument(syntax, description)
  for (const option of spec.options) command.addOption(toCommander(option))
  const examples = spec.examples.map((line) => `  ${line}`).join('\n')
  command.addHelpText('after', `\nExamples:\n${examples}`)
  command.action(() => {
    const { json, ...options } = typedOptions(command)
    take({ name: spec.name, words: command.args, options, json: json === true })
  })
}

type OptionText = string | readonly string[] | undefined

function toCommander({ flags, description, required, many }: OptionSpec): Option {
  const option = new Option(flags, description)
  if (required === true) option.makeOptionMandatory()
  if (option.required)
    option.argParser((text: string, earlier: OptionText) => {
      // commander takes whatever stands next: `switchover --to --check` must not do what it names.
      if (text.startsWith('--')) throw new InvalidArgumentError('Its value is missing.')
      return many === undefined ? text : [...(typeof earlier === 'object' ? earlier : []), text]
    })
  return option
}

/** Only what was typed; `--no-wait` is `no-wait: true`. */
function typedOptions(command: Command): JsonObject {
  const values: Record<string, Json> = command.opts()
  const typed = command.options.flatMap((option) => {
    const name = option.attributeName()
    if (command.getOptionValueSource(name) !== 'cli') return []
    const key = (option.long ?? '').slice(2)
    return [[key, option.negate ? true : (values[name] ?? null)] as const]
  })
  return Object.fromEntries(typed)
}

function unknown(name: string): TwonodeError {
  return new TwonodeError('E_USAGE', `there is no command ${name} on a host`, {
    hint: 'See `twonode --help` here; everything else is run from a laptop.',
  })
}

/** commander's words in our form. */
function usage({ message }: CommanderError, command: string): TwonodeError {
  const [first = '', ...suggestion] = message.replace(/^error: /, '').split('\n')
  const guess = suggestion.join(' ').trim()
  const hint = `${guess}${guess === '' ? '' : ' '}See \`twonode ${command} --help\`.`
  return new TwonodeError('E_USAGE', `${command}: ${first}`, { hint })
}
