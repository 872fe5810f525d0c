import { Command, CommanderError, Option } from 'commander'
import type { OptionSpec } from '../core/command_shape.ts'
import { ERRORS, EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { CommandSpec, OptionValue } from './command.ts'
import type { World } from './world.ts'
import { COMMANDS } from './command_table.ts'
import { createPaint, wantsColour } from './paint.ts'
import { exitCodeOf, troublesOf, troubleText } from './trouble_text.ts'

/** Runs one command line in a world; everything that goes wrong ends here, as an exit code. */
export async function main(argv: readonly string[], world: World): Promise<ExitCode> {
  const result: { code: ExitCode } = { code: EXIT.done }
  try {
    const program = buildProgram(world, (code) => {
      result.code = code
    })
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' })
    return result.code
  } catch (error) {
    if (error instanceof CommanderError) return await usageExit(error, argv, world)
    return report(helpfully(error, argv), argv, world)
  }
}

function buildProgram(world: World, done: (code: ExitCode) => void): Command {
  const program = new Command('twonode')
    // Before the subcommands: they inherit it when they are made.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      // Usage errors are printed by usageExit, in the form of all others.
      writeErr: () => {},
      getOutHelpWidth: () => world.stdout.columns,
      getOutHasColors: () => false,
    })
    .description('Highly available Kubernetes on exactly two machines.')
    .version(world.distribution.version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      '\nStart with: twonode init, then twonode converge -i inventory.yaml --check',
    )
  for (const spec of COMMANDS) addCommand(program, spec, { world, done })
  return program
}

interface Running {
  readonly world: World
  readonly done: (code: ExitCode) => void
}

function addCommand(program: Command, spec: CommandSpec, { world, done }: Running): void {
  const command = program.command(spec.name).description(spec.brief)
  for (const { syntax, description } of spec.arguments) command.argument(syntax, description)
  for (const option of spec.options) command.addOption(toCommander(option))
  const examples = spec.examples.map((line) => `  ${line}`).join('\n')
  command.addHelpText('after', `\nExamples:\n${examples}`)
  command.action(async () => {
    const run = await spec.load()
    const options: Record<string, OptionValue | undefined> = command.opts()
    const takesLimit = spec.options.some(({ flags }) => flags.includes('--limit '))
    done(await run({ arguments: command.args, options, takesLimit }, world))
  })
}

function toCommander(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description)
  if (spec.choices !== undefined) option.choices(spec.choices)
  if (spec.required === true) option.makeOptionMandatory()
  if (spec.many !== undefined) {
    const split = (text: string) => (spec.many === 'whole' ? [text] : text.split(','))
    option.argParser((text: string, earlier: readonly string[] | undefined) => [
      ...(earlier ?? []),
      ...split(text).filter((part) => part !== ''),
    ])
  }
  return option
}

/** commander throws for `--help` and `--version` as well. */
async function usageExit(
  error: CommanderError,
  argv: readonly string[],
  world: World,
): Promise<ExitCode> {
  if (error.exitCode === 0) return EXIT.done
  if (error.code === 'commander.unknownCommand') {
    const { hostOnly } = await import('./host_only.ts')
    const elsewhere = hostOnly(argv, world)
    if (elsewhere !== undefined) return report(elsewhere, [], world)
  }
  const [message = '', ...suggestion] = error.message.replace(/^error: /, '').split('\n')
  const hint = suggestion.join(' ').trim()
  const trouble = new TwonodeError('E_USAGE', message, hint === '' ? {} : { hint })
  return report(helpfully(trouble, argv), [], world)
}

/** A mistake in the use of one command sends to the help of that command. */
function helpfully(error: unknown, argv: readonly string[]): unknown {
  const name = COMMANDS.map((command) => command.name).find((one) => one === argv[0])
  if (name === undefined || !(error instanceof TwonodeError)) return error
  if (error.code !== 'E_USAGE' || error.hint !== ERRORS.E_USAGE.hint) return error
  return new TwonodeError('E_USAGE', error.message, {
    hint: `See \`twonode ${name} --help\`.`,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    cause: error,
  })
}

function report(error: unknown, argv: readonly string[], world: World): ExitCode {
  const troubles = troublesOf(error)
  const paint = createPaint(wantsColour(world.env, world.stderr.isTerminal))
  for (const trouble of troubles) {
    world.stderr.write(troubleText(trouble, paint, world.cwd))
    // A program that reads events must not have to parse what people read.
    if (argv.includes('--json'))
      world.stdout.write(`${JSON.stringify({ event: 'trouble', trouble })}\n`)
  }
  return exitCodeOf(troubles)
}
