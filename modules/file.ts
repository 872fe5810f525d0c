import type { Change, Validator } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import type { FileStat, Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { reveal, Secret, type Text } from '../src/core/secret.ts'
import {
  attributeChanges,
  modeSchema,
  OWNER_PROPERTIES,
  type Ownership,
  parseMode,
  requireOwners,
  requireParent,
} from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly path: string
  /** The compiler has put the text of `src` or `template` here. */
  readonly content?: Text
  /** What a converge fills in as `content`, so that only a plan can hold it. */
  readonly compiled?: 'site' | 'secrets'
  readonly owner: string
  readonly group: string
  readonly mode?: string
  readonly state: 'present' | 'touch' | 'link' | 'absent'
  readonly target?: string
  readonly validate?: readonly string[]
}

interface PlainFile {
  readonly kind: 'file'
  readonly stat: FileStat
  readonly content: string | undefined
}

type State =
  | { readonly kind: 'missing' }
  | PlainFile
  | { readonly kind: 'link'; readonly target: string | undefined }
  | { readonly kind: 'other'; readonly what: FileStat['kind'] }

export const file = defineModule<Args, State>({
  name: 'file',
  doc: {
    summary: 'A file with its content, owner and mode; a link; or neither.',
    notes: [
      'Content is written beside the target, checked by `validate`, flushed to disk and renamed: no reader ever sees half of it.',
      'Without `content`, `src` or `template` the file must exist, and only its owner and mode are seen to.',
      'A link in the place of a wanted file is replaced, never followed. `mode` is 0644 by default, 0600 when the content is a secret.',
    ].join('\n\n'),
    source: 'https://man7.org/linux/man-pages/man2/rename.2.html',
    examples: [
      { title: 'A line of text', args: { path: '/etc/motd', content: 'managed by twonode\n' } },
      {
        title: 'A private file, checked before it replaces the old one',
        args: {
          path: '/etc/sudoers.d/operators',
          content: '%operators ALL=(ALL) NOPASSWD: ALL\n',
          mode: '0440',
          validate: ['visudo', '-c', '-f', '{}'],
        },
      },
      {
        title: 'A link',
        args: { path: '/usr/local/bin/kubectl', state: 'link', target: '/usr/local/bin/k3s' },
      },
      { title: 'No such file', args: { path: '/etc/cron.d/old', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: { ...PATH_FORM, description: 'The file.' },
      content: {
        type: 'string',
        'x-takes-secret': true,
        description: 'The whole text. A template in it is rendered.',
      },
      src: {
        type: 'string',
        'x-file': 'text',
        description: 'A file beside the playbook whose text is copied as it is.',
      },
      template: {
        type: 'string',
        'x-file': 'text',
        description: 'A file beside the playbook that is rendered for each host.',
      },
      compiled: {
        type: 'string',
        enum: ['site', 'secrets'],
        description:
          'What this converge was compiled to: the site with its playbooks, or the secrets that the tasks of this host use. A host that has both can converge itself.',
      },
      ...OWNER_PROPERTIES,
      mode: modeSchema('Permission bits. Default 0644, or 0600 when the content is a secret.'),
      state: {
        type: 'string',
        enum: ['present', 'touch', 'link', 'absent'],
        default: 'present',
        description:
          'A file, a file whose content does not matter, a link to `target`, or nothing.',
      },
      target: { type: 'string', minLength: 1, description: 'Where a link points.' },
      validate: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        contains: { type: 'string', pattern: '\\{\\}' },
        description: 'Command that judges the new content; `{}` stands for the file that holds it.',
      },
    },
    not: {
      anyOf: [
        { required: ['content', 'src'] },
        { required: ['content', 'template'] },
        { required: ['src', 'template'] },
        { required: ['compiled', 'content'] },
        { required: ['compiled', 'src'] },
        { required: ['compiled', 'template'] },
      ],
    },
    'x-form': 'given only one of content, src, template and compiled',
  },

  key: ({ path }) => [`file:${path}`],

  async observe(host, args) {
    const { path, state: wanted } = args
    if (wanted !== 'absent') await requireParent(host, path)
    if (wanted === 'present' || wanted === 'touch') await requireOwners(host, args)
    const state = await look(host, args)
    const hasNoContent = args.content === undefined && args.compiled === undefined
    if (state.kind === 'missing' && wanted === 'present' && hasNoContent)
      throw new NotYet(`there is no file ${path}, and the task gives it no content`)
    return state
  },

  refuse(state, { path, state: wanted, target, content, compiled }) {
    if (compiled !== undefined) return "'compiled' is for tasks of a playbook, not for handlers"
    if (wanted === 'link' && target === undefined) return "a link needs 'target'"
    if (wanted !== 'link' && target !== undefined) return "'target' is for state: link only"
    if (wanted !== 'present' && content !== undefined) return `state: ${wanted} takes no content`
    return state.kind === 'other' ? `${path} is no file but a ${state.what}` : undefined
  },

  diff(state, args): readonly Change[] {
    switch (args.state) {
      case 'absent':
        return state.kind === 'missing' ? [] : [removal(args.path)]
      case 'link':
        return linkChanges(state, args)
      case 'touch':
      case 'present':
        return fileChanges(state, args)
      default:
        throw new Error(`unhandled state: ${String(args.state satisfies never)}`)
    }
  },

  result: (state) => ({ exists: state.kind !== 'missing' }),
})

async function look(host: Observer, { path, content, state }: Args): Promise<State> {
  const stat = await host.stat(path)
  if (stat === undefined) return { kind: 'missing' }
  if (stat.kind === 'link') return { kind: 'link', target: stat.target }
  if (stat.kind !== 'file') return { kind: 'other', what: stat.kind }
  const compares = state === 'present' && content !== undefined
  return { kind: 'file', stat, content: compares ? await host.readFile(path) : undefined }
}

function linkChanges(state: State, { path, target = '' }: Args): readonly Change[] {
  if (state.kind === 'link' && state.target === target) return []
  // makeLink replaces another link in one step, and only a link.
  const before = state.kind === 'file' ? [removal(path)] : []
  return [...before, { kind: 'link', path, target }]
}

function fileChanges(state: State, args: Args): readonly Change[] {
  const wanted = ownershipOf(args)
  const { path, content } = args
  if (state.kind === 'file') {
    if (content === undefined || state.content === reveal(content))
      return attributeChanges(path, state.stat, wanted)
    return [write(args, content, state)]
  }
  const before = state.kind === 'link' ? [removal(path)] : []
  return [...before, write(args, content ?? '', undefined)]
}

function ownershipOf({ mode, owner, group, content }: Args): Ownership {
  const fallback = content instanceof Secret ? '0600' : '0644'
  return { mode: parseMode(mode ?? fallback), owner, group }
}

function write(args: Args, content: Text, before: PlainFile | undefined): Change {
  const validate: Validator | undefined =
    args.validate === undefined ? undefined : { kind: 'exec', argv: args.validate }
  return {
    kind: 'write',
    path: args.path,
    content,
    ...ownershipOf(args),
    before: before?.content,
    ...(before === undefined ? {} : { beforeMode: before.stat.mode }),
    ...(validate === undefined ? {} : { validate }),
    ...(content instanceof Secret ? { secret: true } : {}),
  }
}

function removal(path: string): Change {
  return { kind: 'remove', path, recursive: false }
}
