import type { Change } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import { defineModule } from '../src/core/module.ts'

interface Args {
  readonly name: string
  readonly system: boolean
  readonly home?: string
  readonly create_home: boolean
  readonly shell?: string
  readonly groups: readonly string[]
  readonly state: 'present' | 'absent'
}

type State =
  /** The group may be there without its user: an addition that was cut, or a user removed by hand. */
  | { readonly kind: 'missing'; readonly groupExists: boolean }
  | {
      readonly kind: 'user'
      readonly home: string
      readonly shell: string
      readonly groups: readonly string[]
    }

/** useradd waits for the lock of another one. @unit milliseconds */
const TIMEOUT_MS = 60_000

export const user = defineModule<Args, State>({
  name: 'user',
  doc: {
    summary: 'A user of the system, with a group of the same name.',
    notes:
      "Only what is given is looked at. `groups` are those the user is in beside any others. `absent` leaves the user's files.",
    source: 'https://manpages.debian.org/bookworm/passwd/useradd.8.en.html',
    examples: [
      {
        title: 'A user for a service',
        args: { name: 'kine', system: true, home: '/nonexistent', shell: '/usr/sbin/nologin' },
      },
      { title: 'In a group', args: { name: 'ana', create_home: true, groups: ['sudo'] } },
      { title: 'No such user', args: { name: 'bob', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z_][a-z0-9_-]{0,31}$',
        'x-form': 'a user name: lower case letters, digits, _ and -, at most 32',
        description: 'Login name.',
      },
      system: {
        type: 'boolean',
        default: false,
        description: 'An id from the range of system users. Looked at when the user is made.',
      },
      home: {
        type: 'string',
        pattern: '^/',
        'x-form': 'an absolute path',
        description: 'Home directory.',
      },
      create_home: {
        type: 'boolean',
        default: false,
        description: 'Make the home directory together with the user.',
      },
      shell: {
        type: 'string',
        pattern: '^/',
        'x-form': 'an absolute path',
        description: 'Login shell.',
      },
      groups: {
        type: 'array',
        items: { type: 'string' },
        default: [],
        description: 'Further groups that the user is in.',
      },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether there is such a user.',
      },
    },
  },

  key: ({ name }) => [`user:${name}`],

  async observe(host, { name, groups, state }) {
    const [users, known] = await Promise.all([
      host.readFile('/etc/passwd'),
      host.readFile('/etc/group'),
    ])
    const groupRows = rows(known)
    const unknown = groups.find((group) => !groupRows.some(([row]) => row === group))
    if (unknown !== undefined && state === 'present')
      throw new NotYet(`there is no group ${unknown}`)
    const row = rows(users).find(([login]) => login === name)
    if (row === undefined)
      return { kind: 'missing', groupExists: groupRows.some(([group]) => group === name) }
    const memberOf = groupRows.filter(([, , , members = '']) => members.split(',').includes(name))
    return {
      kind: 'user',
      home: row[5] ?? '',
      shell: row[6] ?? '',
      groups: memberOf.map(([group = '']) => group),
    }
  },

  diff(state, args): readonly Change[] {
    if (args.state === 'absent') return state.kind === 'missing' ? [] : [run('userdel', args.name)]
    if (state.kind === 'missing') {
      const group = state.groupExists ? ['--gid', args.name] : ['--user-group']
      return [run('useradd', ...group, ...additionOptions(args), args.name)]
    }
    const options = differenceOptions(state, args)
    return options.length === 0 ? [] : [run('usermod', ...options, args.name)]
  },

  result: (state) => ({ exists: state.kind === 'user' }),
})

function additionOptions({ system, home, create_home, shell, groups }: Args): string[] {
  return [
    ...(system ? ['--system'] : []),
    ...(home === undefined ? [] : ['--home-dir', home]),
    create_home ? '--create-home' : '--no-create-home',
    ...(shell === undefined ? [] : ['--shell', shell]),
    ...(groups.length === 0 ? [] : ['--groups', groups.join(',')]),
  ]
}

function differenceOptions(
  state: State & { kind: 'user' },
  { home, shell, groups }: Args,
): string[] {
  const missing = groups.filter((group) => !state.groups.includes(group))
  return [
    ...(home === undefined || home === state.home ? [] : ['--home', home]),
    ...(shell === undefined || shell === state.shell ? [] : ['--shell', shell]),
    ...(missing.length === 0 ? [] : ['--append', '--groups', missing.join(',')]),
  ]
}

function run(...argv: string[]): Change {
  return { kind: 'exec', argv, timeoutMs: TIMEOUT_MS }
}

function rows(text: string | undefined): string[][] {
  return (text ?? '').split('\n').map((line) => line.split(':'))
}
