import type { Change } from '../src/core/change.ts'
import { NotYet, messageOf } from '../src/core/errors.ts'
import type { FileStat } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { editLines } from './parts/line_edit.ts'
import {
  attributeChanges,
  modeSchema,
  type Ownership,
  parseMode,
  requireOwners,
  requireParent,
} from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly path: string
  readonly line?: string
  readonly lines?: readonly string[]
  readonly regexp?: string
  readonly insert_after?: string
  readonly state: 'present' | 'absent'
  readonly create: boolean
  readonly owner?: string
  readonly group?: string
  readonly mode?: string
}

type State =
  | { readonly kind: 'missing' }
  | { readonly kind: 'file'; readonly stat: FileStat; readonly content: string }
  | { readonly kind: 'other'; readonly what: FileStat['kind'] }

export const lines = defineModule<Args, State>({
  name: 'lines',
  doc: {
    summary: 'Lines that a file has, or has not, whatever else stands in it.',
    notes: [
      'With `regexp` the last line that it matches becomes `line`; without a match `line` is added. `absent` removes every line that equals one given or that `regexp` matches.',
      'New lines go behind the last match of `insert_after`, or to the end. Owner and mode of a file that exists stay as they are unless given.',
    ].join('\n\n'),
    source:
      'https://docs.ansible.com/ansible/latest/collections/ansible/builtin/lineinfile_module.html',
    examples: [
      {
        title: 'The name of the peer',
        args: { path: '/etc/hosts', regexp: '\\sh2$', line: '10.0.0.2 h2' },
      },
      {
        title: 'Kernel modules at boot',
        args: { path: '/etc/modules', lines: ['br_netfilter', 'overlay'], create: true },
      },
      {
        title: 'No such line',
        args: { path: '/etc/fstab', regexp: '\\sswap\\s', state: 'absent' },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: { ...PATH_FORM, description: 'The file.' },
      line: {
        type: 'string',
        pattern: '^[^\\n]*$',
        'x-form': 'one line',
        description: 'The line.',
      },
      lines: {
        type: 'array',
        items: { type: 'string', pattern: '^[^\\n]*$', 'x-form': 'one line' },
        minItems: 1,
        uniqueItems: true,
        description: 'Several lines, added in this order.',
      },
      regexp: {
        type: 'string',
        minLength: 1,
        description: 'Finds the line that `line` replaces, or the lines to remove.',
      },
      insert_after: {
        type: 'string',
        minLength: 1,
        description: 'A regular expression; new lines go behind the last line that it matches.',
      },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether the lines are there.',
      },
      create: { type: 'boolean', default: false, description: 'Make the file if there is none.' },
      owner: { type: 'string', description: 'User who owns the file.' },
      group: { type: 'string', description: 'Group that owns the file.' },
      mode: modeSchema('Permission bits.'),
    },
    anyOf: [{ required: ['line'] }, { required: ['lines'] }, { required: ['regexp'] }],
  },

  key: (args) => wantedLines(args).map((line) => `line:${args.path}:${args.regexp ?? line}`),

  async observe(host, args) {
    const { path, owner = 'root', group = 'root' } = args
    await requireOwners(host, { owner, group })
    const stat = await host.stat(path)
    if (stat === undefined) {
      if (args.state === 'absent') return { kind: 'missing' }
      if (!args.create)
        throw new NotYet(`there is no file ${path}, and the task does not create it`)
      await requireParent(host, path)
      return { kind: 'missing' }
    }
    if (stat.kind !== 'file') return { kind: 'other', what: stat.kind }
    return { kind: 'file', stat, content: (await host.readFile(path)) ?? '' }
  },

  refuse(state, args) {
    if (state.kind === 'other') return `${args.path} is no file but a ${state.what}`
    if (args.state === 'present' && wantedLines(args).length === 0)
      return "state: present needs 'line' or 'lines'"
    if (args.regexp !== undefined && (args.lines?.length ?? 0) > 1)
      return "'regexp' goes with one line: it says which line that one replaces"
    return [args.regexp, args.insert_after].map(complaint).find((words) => words !== undefined)
  },

  diff(state, args): readonly Change[] {
    const { path } = args
    if (state.kind === 'other') return []
    if (state.kind === 'missing' && args.state === 'absent') return []
    const before = state.kind === 'file' ? state.content : undefined
    const content = editLines(before ?? '', {
      lines: wantedLines(args),
      regexp: args.regexp,
      insertAfter: args.insert_after,
      state: args.state,
    })
    const wanted = ownershipOf(state, args)
    if (content === before)
      return state.kind === 'file' ? attributeChanges(path, state.stat, wanted) : []
    const found = state.kind === 'file' ? { beforeMode: state.stat.mode } : {}
    return [{ kind: 'write', path, content, ...wanted, before, ...found }]
  },
})

function wantedLines({ line, lines: several = [] }: Args): readonly string[] {
  return line === undefined ? several : [line, ...several]
}

/** What is not said stays as it is. */
function ownershipOf(state: State, { owner, group, mode }: Args): Ownership {
  const now = state.kind === 'file' ? state.stat : { mode: 0o644, owner: 'root', group: 'root' }
  return {
    mode: mode === undefined ? now.mode : parseMode(mode),
    owner: owner ?? now.owner,
    group: group ?? now.group,
  }
}

function complaint(pattern: string | undefined): string | undefined {
  if (pattern === undefined) return undefined
  try {
    RegExp(pattern)
    return undefined
  } catch (error) {
    return `no regular expression: ${messageOf(error)}`
  }
}
