import type { Change } from '../src/core/change.ts'
import { messageOf } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import type { Began, ForkPoint, Mode } from '../src/core/site.ts'
import {
  compareHostMeta,
  HOST_META_FILE,
  HOST_META_FORMAT,
  type HostMeta,
  parseHostMeta,
  sameHostMeta,
  serialiseHostMeta,
} from '../src/pair/host_meta.ts'
import { FORK_SCHEMA } from './parts/fork_schema.ts'
import { attributeChanges, requireParent } from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'
import type { FileStat } from '../src/core/host.ts'

interface Args {
  readonly directory: string
  readonly site: string
  readonly leader: string
  readonly term: number
  readonly branch: number
  readonly mode: Mode
  readonly slot: string | null
  readonly began: Began
  readonly fork: ForkPoint | null
  readonly hosts: readonly { readonly name: string; readonly address: string }[]
  readonly control_plane_endpoint: string
}

interface State {
  readonly file: OnDisk
  /** @unit milliseconds since 1970 */
  readonly nowMs: number
}

type OnDisk =
  | { readonly kind: 'missing' }
  | { readonly kind: 'broken'; readonly reason: string }
  | {
      readonly kind: 'host-meta'
      readonly meta: HostMeta
      readonly text: string
      readonly stat: FileStat
    }

const OWNERSHIP = { mode: 0o600, owner: 'root', group: 'root' } as const

export const hostMeta = defineModule<Args, State>({
  name: 'host_meta',
  doc: {
    summary: 'hostMeta, the file that decides who leads.',
    notes: [
      'It is written when it says something else than asked, and its `lastModified` alone is no difference. Branch and term never go down, and a new leader or mode needs a higher term: the step fails instead.',
      'A file that can not be read, or is of another site, is never overwritten.',
    ].join('\n\n'),
    source: 'https://www.postgresql.org/docs/15/logical-replication.html',
    examples: [
      {
        title: 'A pair at its beginning',
        args: {
          directory: '/var/lib/twonode',
          site: 'shop-12',
          leader: 'h1',
          term: 1,
          branch: 1,
          mode: 'alone',
          slot: null,
          began: 'first',
          hosts: [
            { name: 'h1', address: '10.77.0.11' },
            { name: 'h2', address: '10.77.0.12' },
          ],
          control_plane_endpoint: '10.77.0.10:6443',
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: [
      'site',
      'leader',
      'term',
      'branch',
      'mode',
      'began',
      'hosts',
      'control_plane_endpoint',
    ],
    properties: {
      directory: {
        ...PATH_FORM,
        default: '/var/lib/twonode',
        description: 'Folder of hostMeta, sentinels and journal.',
      },
      site: { type: 'string', minLength: 1, description: 'Name of the site.' },
      leader: { type: 'string', minLength: 1, description: 'Name of the host that leads.' },
      term: {
        type: 'integer',
        minimum: 1,
        description: 'Raised by one with each promotion, switchover or change of mode.',
      },
      branch: { type: 'integer', minimum: 1, description: 'Term of the last change of leader.' },
      mode: {
        type: 'string',
        enum: ['paired', 'alone'],
        description: 'Whether a write is acknowledged only when both hosts have it.',
      },
      slot: {
        type: ['string', 'null'],
        default: null,
        description: "The follower's replication slot on the leader.",
      },
      began: {
        type: 'string',
        enum: ['first', 'promotion', 'handover'],
        description: 'How the branch began.',
      },
      fork: FORK_SCHEMA,
      hosts: {
        type: 'array',
        minItems: 2,
        maxItems: 2,
        description: 'Both hosts.',
        items: {
          type: 'object',
          required: ['name', 'address'],
          properties: {
            name: { type: 'string', minLength: 1, description: 'Name.' },
            address: {
              type: 'string',
              minLength: 1,
              description: 'Address on which its peer reaches it.',
            },
          },
        },
      },
      control_plane_endpoint: {
        type: 'string',
        pattern: '^.+:[0-9]+$',
        'x-form': 'address:port',
        description: 'Where the Kubernetes API is reached.',
      },
    },
  },

  key: ({ directory }) => [`file:${pathIn(directory)}`],

  async observe(host, { directory }) {
    const path = pathIn(directory)
    await requireParent(host, path)
    return { file: await look(host, path), nowMs: host.now() }
  },

  refuse({ file }, args) {
    if (file.kind === 'broken') return `${pathIn(args.directory)}: ${file.reason}`
    if (!args.hosts.some(({ name }) => name === args.leader))
      return `the leader, ${args.leader}, is none of the two hosts`
    if (args.branch > args.term) return `branch ${args.branch} is higher than term ${args.term}`
    return file.kind === 'missing' ? undefined : backward(file.meta, args)
  },

  diff({ file, nowMs }, args): readonly Change[] {
    const path = pathIn(args.directory)
    if (file.kind === 'broken') return []
    const wanted = wantedMeta(args, new Date(nowMs).toISOString())
    if (file.kind === 'host-meta' && sameHostMeta(file.meta, wanted))
      return attributeChanges(path, file.stat, OWNERSHIP)
    const before = file.kind === 'missing' ? undefined : file.text
    const content = serialiseHostMeta(wanted)
    return [{ kind: 'write', path, content, ...OWNERSHIP, before, validate: { kind: 'yaml' } }]
  },

  result: ({ file }) =>
    file.kind === 'host-meta'
      ? {
          leader: file.meta.leader,
          term: file.meta.term,
          branch: file.meta.branch,
          mode: file.meta.mode,
        }
      : {},
})

function pathIn(directory: string): string {
  return `${directory}/${HOST_META_FILE}`
}

async function look(host: Observer, path: string): Promise<OnDisk> {
  const [text, stat] = await Promise.all([host.readFile(path), host.stat(path)])
  if (text === undefined || stat === undefined) return { kind: 'missing' }
  try {
    return { kind: 'host-meta', meta: parseHostMeta(text), text, stat }
  } catch (error) {
    return { kind: 'broken', reason: messageOf(error) }
  }
}

/** Why what is asked would go back behind what the host has recorded. */
function backward(known: HostMeta, args: Args): string | undefined {
  if (known.site !== args.site) return `this host's hostMeta is of site ${known.site}`
  const here = `branch ${known.branch}, term ${known.term}`
  if (args.branch < known.branch || args.term < known.term)
    return `this host has recorded ${here}, which is higher than what is asked (branch ${args.branch}, term ${args.term})`
  const sameTerm = args.branch === known.branch && args.term === known.term
  if (sameTerm && compareHostMeta(known, args) !== 0)
    return `${args.leader} can not lead in ${here}, in which ${known.leader} does: a new leader needs a new term`
  if (sameTerm && known.mode !== args.mode)
    return `the mode can not become ${args.mode} in ${here}: a new mode needs a new term`
  if (args.branch === known.branch && known.began !== args.began)
    return `branch ${known.branch} began as '${known.began}' and not as '${args.began}'`
  if (args.branch === known.branch && known.fork !== null && args.fork === null)
    return `this host knows where branch ${known.branch} began, which what is asked does not`
  return undefined
}

function wantedMeta(args: Args, lastModified: string): HostMeta {
  const { site, leader, term, branch, mode, slot, began, fork } = args
  return {
    format: HOST_META_FORMAT,
    site,
    term,
    branch,
    mode,
    leader,
    slot,
    began,
    fork,
    hosts: args.hosts.map(({ name, address }) => ({
      name,
      address,
      role: name === leader ? 'leader' : 'follower',
    })),
    controlPlaneEndpoint: args.control_plane_endpoint,
    lastModified,
  }
}
