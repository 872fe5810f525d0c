import type { Change } from '../src/core/change.ts'
import type { FileStat } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { FILE_HERE, FILE_SENT, SHA256 } from './parts/sent_file.ts'
import { nameOf, PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly source: { readonly path?: string; readonly blob?: string; readonly sha256?: string }
  readonly root: string
  readonly timeout: string
}

interface State {
  /** The link to the one that the host goes by. */
  readonly site: FileStat | undefined
  /** Names of what lies beside one another: bundles by their sha256, and what a cut has left. */
  readonly kept: readonly string[]
  readonly hasRoot: boolean
  readonly hasFolder: boolean
}

const OWNED = { mode: 0o755, owner: 'root', group: 'root' } as const

const INCOMING = '.incoming.'

/** Of a disk and of tar; the bytes come within the step's own time. @unit milliseconds */
const UNPACK_MS = 10 * 60_000
const SYNC_MS = 5 * 60_000

export const siteBundle = defineModule<Args, State>({
  name: 'site_bundle',
  doc: {
    summary: "A site's bundle on the host, unpacked, as the one that it goes by.",
    notes: [
      'It is what `twonode converge --bundle` begins with, and the same as `install.sh` leaves: a folder below `bundles/` by the sha256 of the archive, and the link `site` to it. The archive is verified before it is sent, by its signature, and when it has come, by its sha256.',
      'The one that the host went by before is kept beside it; others are removed.',
    ].join('\n\n'),
    source: 'https://www.gnu.org/software/tar/manual/html_node/Standard.html',
    examples: [
      {
        title: 'A bundle that is sent',
        args: {
          source: {
            blob: 'site.twonode',
            sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
          },
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['source'],
    properties: {
      source: {
        type: 'object',
        additionalProperties: false,
        description: 'The archive: one of path and blob.',
        properties: {
          path: FILE_HERE,
          blob: FILE_SENT,
          sha256: { ...SHA256, description: 'Of the archive. For `path` it is computed.' },
        },
        oneOf: [{ required: ['path'] }, { required: ['blob', 'sha256'] }],
      },
      root: {
        ...PATH_FORM,
        default: '/opt/twonode',
        description: 'Folder of `bundles/` and of the link.',
      },
      timeout: durationSchema('Bound of sending it.', '30m'),
    },
  },

  key: ({ root }) => [`file:${root}/site`],

  async observe(host, { root }) {
    const [site, folder, bundles] = await Promise.all([
      host.stat(`${root}/site`),
      host.stat(root),
      host.list(`${root}/bundles`),
    ])
    return {
      site,
      kept: bundles ?? [],
      hasRoot: folder !== undefined,
      hasFolder: bundles !== undefined,
    }
  },

  refuse({ site }, { root, source }) {
    if (source.sha256 === undefined) return "'source.sha256' is missing"
    if (site !== undefined && site.kind !== 'link') return `${root}/site is no link`
    return undefined
  },

  diff(state, args): readonly Change[] {
    const { root } = args
    const { sha256 = '' } = args.source
    const before = state.site?.target
    const link = `bundles/${sha256}`
    const isHere = state.kept.includes(sha256)
    const kept = [sha256, before?.slice('bundles/'.length)]
    // What is on its way is somebody's, and has no bundle's name.
    const bundles = state.kept.filter((name) => /^[0-9a-f]{64}$/.test(name))
    const gone = before === link ? [] : bundles.filter((name) => !kept.includes(name))
    return [
      ...(state.hasRoot ? [] : [directory(root)]),
      ...(state.hasFolder ? [] : [directory(`${root}/bundles`)]),
      ...(isHere ? [] : unpacked(args, sha256)),
      ...(before === link ? [] : [{ kind: 'link', path: `${root}/site`, target: link } as const]),
      ...gone.map((name) => removed(`${root}/bundles/${name}`)),
    ]
  },

  result: ({ site }) => ({ bundle: site?.target?.slice('bundles/'.length) ?? null }),
})

/** Under another name until it is whole and on the disk: being there is proof enough. */
function unpacked({ root, source, timeout }: Args, sha256: string): readonly Change[] {
  const archive = `${root}/bundles/${INCOMING}${sha256}.tar`
  const folder = `${root}/bundles/${INCOMING}${sha256}`
  const name = source.blob ?? nameOf(source.path ?? '')
  return [
    {
      kind: 'install',
      path: archive,
      ...OWNED,
      mode: 0o600,
      sha256,
      source: { kind: 'blob', name },
      timeoutMs: durationMs(timeout),
    },
    removed(folder),
    directory(folder),
    run(UNPACK_MS, 'tar', '--no-same-owner', '-C', folder, '-xf', archive),
    // Variables stand in it as they were written.
    { kind: 'attributes', path: `${folder}/plan.json`, mode: 0o600, before: '0644 root:root' },
    run(SYNC_MS, 'sync', '-f', folder),
    run(SYNC_MS, 'mv', '-T', folder, `${root}/bundles/${sha256}`),
    { kind: 'remove', path: archive, recursive: false },
  ]
}

function directory(path: string): Change {
  return { kind: 'directory', path, ...OWNED }
}

function removed(path: string): Change {
  return { kind: 'remove', path, recursive: true }
}

function run(timeoutMs: number, ...argv: readonly string[]): Change {
  return { kind: 'exec', argv, timeoutMs }
}
