import { TwonodeError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import type { TypedCommand } from '../host_program.ts'

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

/** Options that each action takes, beside --json. */
const OPTIONS: Readonly<Record<SalvageWords['action'], readonly string[]>> = {
  list: [],
  show: [],
  diff: [],
  replay: ['all', 'object', 'dry-run', 'force-conflicts', 'yes'],
  discard: ['yes'],
}

/** @throws TwonodeError E_USAGE */
export function readWords({ words, options, json }: TypedCommand): SalvageWords {
  const [action = 'list', ...names] = words
  if (!isAction(action)) throw usage(`salvage has no ${action}`)
  const alien = Object.keys(options).find((name) => !OPTIONS[action].includes(name))
  if (alien !== undefined) throw usage(`salvage ${action} takes no --${alien}`)
  const name = nameOf(action, names)
  const all = options['all'] === true
  const objects = textsOf(options['object'])
  if (action === 'replay' && all === objects.length > 0)
    throw usage('replay takes --all, or --object "Deployment default/web" for each object')
  return {
    action,
    name,
    json,
    yes: options['yes'] === true,
    all,
    objects,
    dryRun: options['dry-run'] === true,
    force: options['force-conflicts'] === true,
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

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function usage(message: string): TwonodeError {
  return new TwonodeError('E_USAGE', message, { hint: 'See `twonode salvage --help`.' })
}
