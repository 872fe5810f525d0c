import { parse, stringify } from 'yaml'
import type { Change } from '../src/core/change.ts'
import { firstLineOf } from '../src/core/errors.ts'
import type { FileStat, Observer } from '../src/core/host.ts'
import { isObject, type Json } from '../src/core/json.ts'
import { defineModule } from '../src/core/module.ts'
import { foldersAbove, missingAbove } from './parts/folders.ts'
import { K3S_FLAGS } from './parts/k3s_flags.ts'
import {
  changedMustMatch,
  conflicts,
  type K3sSettings,
  type K3sValues,
  mergeLikeK3s,
  ownValues,
} from './parts/k3s_merge.ts'
import { attributeChanges } from './parts/ownership.ts'
import { nameOf, PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly path: string
  readonly config: K3sValues
  readonly extra: K3sValues
}

interface State {
  readonly stat: FileStat | undefined
  readonly text: string | undefined
  readonly missingFolders: readonly string[]
  readonly dropIns: readonly DropIn[]
}

type DropIn =
  | { readonly kind: 'read'; readonly path: string; readonly values: K3sValues }
  | { readonly kind: 'broken'; readonly path: string; readonly reason: string }

const OWNERSHIP = { mode: 0o600, owner: 'root', group: 'root' } as const

const HEADER =
  '# Written by twonode: changes made here are undone. Drop-ins in config.yaml.d are yours.\n'

/** Values of the configuration file, and which keys it may have. */
const VALUES = {
  type: 'object',
  propertyNames: { enum: K3S_FLAGS.flatMap((flag) => [flag, `${flag}+`]) },
  additionalProperties: {
    type: ['string', 'number', 'boolean', 'array'],
    items: { type: ['string', 'number', 'boolean'] },
  },
} as const

export const k3sConfig = defineModule<Args, State>({
  name: 'k3s_config',
  doc: {
    summary: "k3s' configuration file.",
    notes: [
      'The file is ours as a whole. Drop-ins in `config.yaml.d` are left alone and merged as k3s does it: a later file replaces a value, `key+` appends to it.',
      'Keys are flags of `k3s server`; others are refused. Flags that must be the same on both servers are reported when a drop-in of one host changes them.',
      'Tokens are given as files (`token-file`), never as values. k3s reads the file when it starts: notify a handler.',
    ].join('\n\n'),
    source: 'https://docs.k3s.io/installation/configuration#configuration-file',
    examples: [
      {
        title: 'A server of a pair',
        args: {
          config: {
            'datastore-endpoint': 'http://localhost:2379',
            'token-file': '/etc/twonode/pki/k3s-token',
            'node-ip': '10.77.0.11',
            'tls-san': ['10.77.0.10', '10.77.0.11'],
            'kube-controller-manager-arg': ['node-monitor-grace-period=20s'],
          },
          extra: { 'kube-controller-manager-arg+': ['v=2'] },
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['config'],
    properties: {
      path: {
        ...PATH_FORM,
        default: '/etc/rancher/k3s/config.yaml',
        description: 'The configuration file.',
      },
      config: { ...VALUES, description: 'Flags and their values.' },
      extra: {
        ...VALUES,
        default: {},
        description:
          'Further flags; `key+` adds to a list of `config`. None may change a value of it.',
      },
    },
  },

  key: ({ path }) => [`file:${path}`],

  async observe(host, { path }) {
    const [stat, text, missingFolders, dropIns] = await Promise.all([
      host.stat(path),
      host.readFile(path),
      missingAbove(host, path),
      observeDropIns(host, `${path}.d`),
    ])
    return { stat, text, missingFolders, dropIns }
  },

  refuse({ stat, dropIns }, { path, config, extra }) {
    if (stat !== undefined && stat.kind !== 'file') return `${path} is no file but a ${stat.kind}`
    const [conflict] = conflicts(config, extra)
    if (conflict !== undefined)
      return `'${conflict}' is set by the playbook to another value; '${conflict}+' adds to a list`
    const broken = dropIns.find((dropIn) => dropIn.kind === 'broken')
    return broken === undefined
      ? undefined
      : `k3s would not start: ${broken.path}: ${broken.reason}`
  },

  diff({ stat, text, missingFolders }, { path, config, extra }): readonly Change[] {
    const content = HEADER + stringify(ownValues(config, extra), { lineWidth: 0 })
    if (stat !== undefined && text === content) return attributeChanges(path, stat, OWNERSHIP)
    return [
      ...foldersAbove(missingFolders),
      { kind: 'write', path, content, ...OWNERSHIP, before: text, validate: { kind: 'yaml' } },
    ]
  },

  notes({ dropIns }, { config, extra }) {
    const read = dropIns.filter((dropIn) => dropIn.kind === 'read')
    const own = ownValues(config, extra)
    const before = mergeLikeK3s([own])
    const effective = mergeLikeK3s([own, ...read.map(({ values }) => values)])
    return [
      ...changedMustMatch(before, effective).map((flag) => {
        const { path } = read.findLast(({ values }) => flag in values || `${flag}+` in values) ?? {
          path: '',
        }
        return `${path} makes ${flag} ${shown(flag, effective)}, and it must be the same on both servers (${shown(flag, before)})`
      }),
      ...read.flatMap(({ path, values }) =>
        Object.keys(values)
          .filter((key) => !K3S_FLAGS.includes(key.replace(/\+$/, '')))
          .map((key) => `${path}: k3s knows no flag '${key}'`),
      ),
    ]
  },

  result: ({ dropIns }) => ({ dropIns: dropIns.map(({ path }) => path) }),
})

function shown(flag: string, settings: K3sSettings): string {
  return settings.get(flag)?.join(',') ?? 'unset'
}

async function observeDropIns(host: Observer, folder: string): Promise<readonly DropIn[]> {
  const names = (await host.list(folder)) ?? []
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort()
  return await Promise.all(files.map((name) => readDropIn(host, `${folder}/${name}`)))
}

async function readDropIn(host: Observer, path: string): Promise<DropIn> {
  const text = (await host.readFile(path)) ?? ''
  try {
    const parsed: unknown = parse(text)
    if (parsed === null) return { kind: 'read', path, values: {} }
    if (isObject(parsed)) return { kind: 'read', path, values: parsed as Record<string, Json> }
    return { kind: 'broken', path, reason: `${nameOf(path)} is no mapping` }
  } catch (error) {
    return { kind: 'broken', path, reason: firstLineOf(error) }
  }
}
