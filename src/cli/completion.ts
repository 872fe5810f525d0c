import type { OptionSpec } from '../core/command_shape.ts'
import { EXIT, TwonodeError } from '../core/errors.ts'
import type { CommandRun, CommandSpec } from './command.ts'
import { COMMANDS } from './command_table.ts'

/** What a shell completes: printed from the command table, so it needs no program at the prompt. */
interface Words {
  readonly command: string
  readonly brief: string
  readonly flags: readonly { readonly flag: string; readonly description: string }[]
}

/** `twonode completion SHELL`. */
export const completion: CommandRun = async ({ arguments: [shell = ''] }, world) => {
  const print = PRINTERS[shell]
  if (print === undefined)
    throw new TwonodeError('E_USAGE', `there is no completion for "${shell}"`, {
      hint: `Shells: ${Object.keys(PRINTERS).join(', ')}.`,
    })
  const { MODULES } = await import('../../modules/index.ts')
  world.stdout.write(print(COMMANDS.map(wordsOf), MODULES.map((m) => m.name).toSorted()))
  return EXIT.done
}

type Printer = (commands: readonly Words[], modules: readonly string[]) => string

const PRINTERS: Readonly<Record<string, Printer>> = { bash, zsh, fish }

function wordsOf({ name, brief, options }: CommandSpec): Words {
  const flags = options.flatMap((option) =>
    flagsOf(option).map((flag) => ({ flag, description: option.description })),
  )
  return { command: name, brief, flags: [...flags, { flag: '--help', description: 'Help.' }] }
}

/** `-i, --inventory <file>` has two spellings. */
function flagsOf({ flags }: OptionSpec): readonly string[] {
  return flags.split(/[ ,]+/).filter((word) => word.startsWith('-'))
}

/** Commands whose first argument is a module. */
const TAKES_MODULE = ['run', 'docs']

function bash(commands: readonly Words[], modules: readonly string[]): string {
  const cases = commands.map(
    ({ command, flags }) => `    ${command}) words='${flags.map((f) => f.flag).join(' ')}' ;;`,
  )
  return `# Completion of twonode for bash: source <(twonode completion bash)
_twonode() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map((c) => c.command).join(' ')} --help --version'
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$command" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "$command" in
      ${TAKES_MODULE.join('|')}) words="$words ${modules.join(' ')}" ;;
      completion) words='bash zsh fish' ;;
    esac
  fi
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _twonode twonode
`
}

function zsh(commands: readonly Words[], modules: readonly string[]): string {
  const list = commands.map(({ command, brief }) => `    ${quoted(`${command}:${brief}`)}`)
  const cases = commands.map(({ command, flags }) => {
    const specs = flags.map((f) => quoted(`${f.flag}[${f.description.replaceAll(/[[\]:]/g, ' ')}]`))
    const first = TAKES_MODULE.includes(command)
      ? `'1:module:(${modules.join(' ')})'`
      : "'*:file:_files'"
    return `    ${command}) _arguments ${[...specs, first].join(' ')} ;;`
  })
  return `#compdef twonode
# Completion of twonode for zsh: twonode completion zsh > "\${fpath[1]}/_twonode"
_twonode() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _twonode twonode
`
}

function fish(commands: readonly Words[], modules: readonly string[]): string {
  const lines = commands.flatMap(({ command, brief, flags }) => [
    `complete -c twonode -n __fish_use_subcommand -f -a ${command} -d ${quoted(brief)}`,
    ...flags.map(({ flag, description }) => {
      const option = flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
      return `complete -c twonode -n '__fish_seen_subcommand_from ${command}' ${option} -d ${quoted(description)}`
    }),
  ])
  const takers = `complete -c twonode -n '__fish_seen_subcommand_from ${TAKES_MODULE.join(' ')}' -f -a '${modules.join(' ')}'`
  return `# Completion of twonode for fish: twonode completion fish > ~/.config/fish/completions/twonode.fish
${lines.join('\n')}
${takers}
`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
