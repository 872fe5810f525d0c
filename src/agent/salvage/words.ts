import { TwonodeError } from '../../core/errors.ts'

/** What a person typed after `twonode salvage`. */
export interface SalvageWords {
  readonly action: 'list' | 'show' | 'diff' | 'replay' | 'discard'
  /** Empty for `list`. */
  readonly name: string
  readonly json: boolean
  readonly yes: boolean
  readonly all: boolean
  readonly objects: readonly string[]
  readonly dryRun: boolean
  readonly force: boolean
}

export const SALVAGE_USAGE =
  'salvage list | show BRANCH | diff BRANCH | discard BRANCH [--yes] | replay BRANCH --all | --object NAME [--dry-run] [--force-conflicts] [--yes]'

/** Options that each action takes, beside --json. */
const OPTIONS: Readonly<Record<SalvageWords['action'], readonly string[]>> = {
  list: [],
  show: [],
  diff: [],
  replay: ['--all', '--object', '--dry-run', '--force-conflicts', '--yes'],
  discard: ['--yes'],
}

/** @throws TwonodeError E_USAGE */
export function readWords(argv: readonly string[]): SalvageWords {
  const [action = 'list', ...rest] = argv
  if (!isAction(action)) throw usage(`salvage has no ${action}`)
  const flags = new Set<string>()
  const objects: string[] = []
  const names: string[] = []
  const left = [...rest]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith('-')) names.push(word)
    else if (word !== '--json' && !OPTIONS[action].includes(word))
      throw usage(`salvage ${action} takes no ${word}`)
    else if (word === '--object') objects.push(objectOf(left.shift()))
    else flags.add(word)
  }
  const name = nameOf(action, names)
  const all = flags.has('--all')
  if (action === 'replay' && all === objects.length > 0)
    throw usage('replay takes --all, or --object "Deployment default/web" for each object')
  return {
    action,
    name,
    json: flags.has('--json'),
    yes: flags.has('--yes'),
    all,
    objects,
    dryRun: flags.has('--dry-run'),
    force: flags.has('--force-conflicts'),
  }
}

function isAction(word: string): word is SalvageWords['action'] {
  return Object.hasOwn(OPTIONS, word)
}

function nameOf(action: SalvageWords['action'], names: readonly string[]): string {
  const [name = '', ...more] = names
  if (more.length > 0 || (action === 'list') !== (name === ''))
    throw usage(
      action === 'list'
        ? 'salvage list takes no name'
        : `salvage ${action} takes one branch, as \`salvage list\` names it`,
    )
  return name
}

function objectOf(word: string | undefined): string {
  if (word === undefined || word.startsWith('--'))
    throw usage('--object takes a name, as `salvage diff` writes it')
  return word
}

function usage(message: string): TwonodeError {
  return new TwonodeError('E_USAGE', `${message}: twonode ${SALVAGE_USAGE}`)
}
