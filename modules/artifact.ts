import type { Change } from '../src/core/change.ts'
import type { ArtifactSource, FileStat } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import {
  attributeChanges,
  modeSchema,
  OWNER_PROPERTIES,
  parseMode,
  requireOwners,
  requireParent,
} from './parts/ownership.ts'
import { FILE_HERE, FILE_SENT, SHA256 } from './parts/sent_file.ts'
import { nameOf, PATH_FORM } from './parts/paths.ts'

interface Source {
  /** A file on the machine that converges; the compiler turns it into `blob` when it is written out. */
  readonly path?: string
  readonly url?: string
  /** Name of a file that the machine that converges sends; found by its sha256. */
  readonly blob?: string
  readonly host_path?: string
  readonly sha256?: string
}

interface Args {
  readonly path: string
  readonly source: Source
  readonly sha256?: string
  readonly member?: string
  readonly member_sha256?: string
  readonly owner: string
  readonly group: string
  readonly mode: string
  readonly timeout: string
}

interface State {
  readonly stat: FileStat | undefined
  readonly digest: string | undefined
}

export const artifact = defineModule<Args, State>({
  name: 'artifact',
  doc: {
    summary: 'A binary or another big file, from this machine, from a URL or from the host itself.',
    notes: [
      'It is known by its sha256 and travels only to a host whose file has another one. A URL needs `sha256`; of a local file it is computed. It is fetched beside its place, resumed when cut, verified, and renamed: a running binary can be replaced, and a half file is never seen.',
      'With `member`, that file of a tar or tar.gz archive is installed. `member_sha256` then says what it must be, for the archive is not kept.',
    ].join('\n\n'),
    source: 'https://man7.org/linux/man-pages/man2/rename.2.html',
    examples: [
      {
        title: 'A binary from a release page',
        args: {
          path: '/usr/local/bin/k3s',
          source: { url: 'https://example.org/k3s' },
          sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        },
      },
      {
        title: 'A binary that this machine built',
        args: {
          path: '/usr/local/bin/kine',
          source: {
            blob: 'kine',
            sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
          },
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['path', 'source'],
    properties: {
      path: { ...PATH_FORM, description: 'Where it is installed.' },
      source: {
        type: 'object',
        additionalProperties: false,
        description: 'Where its bytes come from: one of path, url, blob and host_path.',
        properties: {
          path: FILE_HERE,
          url: {
            type: 'string',
            pattern: '^https?://',
            'x-form': 'an http or https address',
            description: 'Fetched by the host.',
          },
          blob: FILE_SENT,
          host_path: { ...PATH_FORM, description: 'A file that is on the host already.' },
          sha256: { ...SHA256, description: 'Checksum of those bytes.' },
        },
        oneOf: [
          { required: ['path'] },
          { required: ['url'] },
          { required: ['blob'] },
          { required: ['host_path'] },
        ],
      },
      sha256: { ...SHA256, description: 'The same checksum; here or in `source`.' },
      member: { type: 'string', minLength: 1, description: 'Path of the file inside an archive.' },
      member_sha256: { ...SHA256, description: 'Checksum of that file.' },
      ...OWNER_PROPERTIES,
      mode: { ...modeSchema('Permission bits.'), default: '0755' },
      timeout: durationSchema('Bound of fetching and installing it.', '10m'),
    },
    dependencies: { member: ['member_sha256'], member_sha256: ['member'] },
  },

  key: ({ path }) => [`file:${path}`],

  async observe(host, args) {
    await Promise.all([requireOwners(host, args), requireParent(host, args.path)])
    const stat = await host.stat(args.path)
    return { stat, digest: stat?.kind === 'file' ? await host.digest(args.path) : undefined }
  },

  refuse({ stat }, args) {
    if (stat?.kind === 'directory') return `${args.path} is a directory`
    const { sha256 } = args.source
    if (sha256 === undefined && args.sha256 === undefined) return "'sha256' is missing"
    if (sha256 !== undefined && args.sha256 !== undefined && sha256 !== args.sha256)
      return "'sha256' and 'source.sha256' differ"
    return undefined
  },

  diff({ stat, digest }, args): readonly Change[] {
    const wanted = { mode: parseMode(args.mode), owner: args.owner, group: args.group }
    const { path, member } = args
    const sha256 = sha256Of(args)
    const installed = args.member_sha256 ?? sha256
    if (stat !== undefined && digest === installed) return attributeChanges(path, stat, wanted)
    return [
      {
        kind: 'install',
        path,
        ...wanted,
        sha256,
        source: sourceOf(args.source),
        ...(member === undefined ? {} : { member }),
        timeoutMs: durationMs(args.timeout),
      },
    ]
  },

  result: ({ digest }) => ({ sha256: digest ?? null }),
})

function sha256Of({ source, sha256 = source.sha256 }: Args): string {
  if (sha256 === undefined) throw new Error('refuse() lets no artifact without a checksum through')
  return sha256
}

function sourceOf({ path, url, blob, host_path }: Source): ArtifactSource {
  if (url !== undefined) return { kind: 'url', url }
  if (host_path !== undefined) return { kind: 'path', path: host_path }
  return { kind: 'blob', name: blob ?? nameOf(path ?? '') }
}
