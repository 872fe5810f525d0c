import type { Change } from '../src/core/change.ts'
import type { FileStat } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { foldersAbove, makeDirectory, missingAbove } from './parts/folders.ts'
import {
  attributeChanges,
  modeSchema,
  type Ownership,
  OWNER_PROPERTIES,
  parseMode,
  requireOwners,
} from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly path: string
  readonly owner: string
  readonly group: string
  readonly mode: string
  readonly state: 'present' | 'absent'
}

type State =
  /** `above`: the folders above it that are missing too, the highest first. */
  | { readonly kind: 'missing'; readonly above: readonly string[] }
  | { readonly kind: 'directory'; readonly stat: FileStat }
  | { readonly kind: 'other'; readonly what: FileStat['kind'] }

/** Folders that no playbook means to remove with all below them. */
const NEVER_REMOVED =
  /^\/(?:bin|boot|dev|etc|home|lib|lib64|proc|root|run|sbin|srv|sys|tmp|usr|usr\/local|usr\/local\/bin|usr\/bin|usr\/lib|var|var\/lib|var\/log|opt)$/

export const directory = defineModule<Args, State>({
  name: 'directory',
  doc: {
    summary: 'A directory with its owner and mode, or none.',
    notes:
      'Missing folders above it are made too, `0755 root:root`. `absent` removes it **with all below it**.',
    source: 'https://man7.org/linux/man-pages/man2/mkdir.2.html',
    examples: [
      { title: 'A private directory', args: { path: '/etc/twonode/pki', mode: '0700' } },
      { title: 'None', args: { path: '/etc/rancher/old', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: { ...PATH_FORM, description: 'The directory.' },
      ...OWNER_PROPERTIES,
      mode: { ...modeSchema('Permission bits.'), default: '0755' },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether it is there.',
      },
    },
  },

  key: ({ path }) => [`file:${path}`],

  async observe(host, { path, owner, group, state }) {
    if (state === 'present') await requireOwners(host, { owner, group })
    const stat = await host.stat(path)
    if (stat === undefined) return { kind: 'missing', above: await missingAbove(host, path) }
    return stat.kind === 'directory'
      ? { kind: 'directory', stat }
      : { kind: 'other', what: stat.kind }
  },

  refuse(state, { path, state: wanted }) {
    if (state.kind === 'other') return `${path} is no directory but a ${state.what}`
    if (wanted === 'absent' && state.kind === 'directory' && NEVER_REMOVED.test(path))
      return `${path} is the system's own: it is not removed`
    return undefined
  },

  diff(state, args): readonly Change[] {
    const { path } = args
    if (args.state === 'absent')
      return state.kind === 'missing' ? [] : [{ kind: 'remove', path, recursive: true }]
    const wanted: Ownership = { ...args, mode: parseMode(args.mode) }
    if (state.kind === 'directory') return attributeChanges(path, state.stat, wanted)
    if (state.kind === 'other') return []
    return [...foldersAbove(state.above), makeDirectory(path, wanted)]
  },

  result: (state) => ({ exists: state.kind !== 'missing' }),
})
