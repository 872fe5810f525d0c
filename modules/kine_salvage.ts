import { isObject, parseJson } from '../src/core/json.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import {
  aboveWords,
  SALVAGE_FILES,
  SALVAGE_FORMAT,
  type SalvageManifest,
  type SalvageRequest,
  type SalvageSource,
  type TableNumbers,
} from '../src/core/salvage.ts'
import type { ForkPoint } from '../src/core/site.ts'
import { FORK_SCHEMA } from './parts/fork_schema.ts'
import { slotsAccount } from './parts/history_comparison.ts'
import { HIGHEST_BRANCH, readNumbers } from './parts/kine_numbers.ts'
import { NAME_FORM } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly publication: string
  readonly directory: string
  readonly site: string
  readonly host: string
  readonly leader: string
  readonly branch: number
  readonly fork: ForkPoint | null
  readonly max_size: number
  readonly given_up: string
}

type State =
  | { readonly kind: 'saved'; readonly folder: string; readonly manifest: SalvageManifest }
  /** Tried since the boot, and refused by the disk. */
  | { readonly kind: 'given-up'; readonly why: string }
  | { readonly kind: 'wanted'; readonly request: SalvageRequest }

const MB = 1024 ** 2

export const kineSalvage = defineModule<Args, State>({
  name: 'kine_salvage',
  doc: {
    summary:
      "What a losing branch has that the leader's has not, saved before its table is moved away.",
    notes:
      'Exactly the transactions that the slot of A1 shows beyond the fork, in the folder ' +
      '`<directory>/<branch>_<number>`, named as the schema to which the table goes: each change of a ' +
      'row, each object that was changed, and a manifest. Without a slot that shows them it is what ' +
      'stands above the highest id of the fork, or the last version of all objects; the manifest says ' +
      'so, and why. Values beyond `max_size`, or beyond half of what is free, stay in the table only. A ' +
      'disk that takes nothing does not keep the host from returning: the table stays in its schema. ' +
      "A host that followed in the leader's own branch has nothing of its own, and its folder says so. It registers `folder`, " +
      '`branch`, `exact`, `counts` and `problem`.',
    source: 'https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html',
    examples: [
      {
        title: 'Before the table is moved away',
        args: {
          database: 'kine',
          directory: '/var/lib/twonode/salvage',
          site: 'edge',
          host: 'h1',
          leader: 'h2',
          branch: 2,
          max_size: 1024,
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'directory', 'site', 'host', 'leader', 'branch', 'max_size'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      publication: {
        ...NAME_FORM,
        default: 'twonode',
        description: 'Publication of this host: what its own slot is read by.',
      },
      directory: { type: 'string', pattern: '^/', description: 'Where salvages are kept.' },
      site: { type: 'string', description: 'Name of the site.' },
      host: { type: 'string', description: 'Name of this host.' },
      leader: { type: 'string', description: 'Name of the host whose branch goes on.' },
      branch: { type: 'integer', minimum: 1, description: 'The branch that goes on.' },
      fork: FORK_SCHEMA,
      max_size: { type: 'integer', minimum: 1, description: 'Bound of the values saved, in MB.' },
      given_up: {
        type: 'string',
        pattern: '^/',
        default: '/run/twonode/salvage',
        description: 'Where it is noted, in memory, that the disk takes nothing.',
      },
    },
  },

  key: ({ directory }) => [`kine_salvage:${directory}`],

  async observe(host, args) {
    const [table] = await host.sql<{ branch: number; oid: number }>(
      args.database,
      `select ${HIGHEST_BRANCH} as branch, 'public.kine'::regclass::oid::int8 as oid`,
    )
    if (table === undefined) throw new Error('a query of one row without a row')
    const { count, sum, max } = await readNumbers(host, args.database)
    const numbers = { count, sum, max }
    const name = `${table.branch}_${table.oid}`
    const folder = `${args.directory}/${name}`
    const manifest = manifestOf(await host.readFile(`${folder}/${SALVAGE_FILES.manifest}`))
    if (manifest !== undefined && isFor(args, manifest) && isOf(numbers, manifest.numbers))
      return { kind: 'saved', folder, manifest }
    const noted = `${args.given_up}/${name}.json`
    const why = givenUp(await host.readFile(noted), numbers)
    if (why !== undefined) return { kind: 'given-up', why }
    const origin = await sourceOf(host, args, table.branch)
    return { kind: 'wanted', request: requestOf(args, { folder, noted, table, numbers, origin }) }
  },

  diff: (state) => (state.kind === 'wanted' ? [{ kind: 'salvage', request: state.request }] : []),

  result: (state) => ({
    folder: state.kind === 'saved' ? state.folder : null,
    branch: state.kind === 'saved' ? state.manifest.branch : null,
    exact: state.kind === 'saved' ? state.manifest.exact : null,
    counts: state.kind === 'saved' ? { ...state.manifest.counts } : null,
    problem: problemOf(state),
  }),

  notes: (state) => {
    const problem = problemOf(state)
    return problem === null ? [] : [problem]
  },
})

function problemOf(state: State): string | null {
  if (state.kind === 'given-up')
    return `what only this host has could not be saved, and stays in the old table: ${state.why}`
  if (state.kind !== 'saved') return null
  const { inexact, missing } = state.manifest
  return inexact ?? missing
}

interface Origin {
  readonly source: SalvageSource
  readonly inexact: string | null
}

/** The best account that there is of what the leader never had. */
async function sourceOf(
  host: Observer,
  { database, fork, branch: successor }: Args,
  branch: number,
): Promise<Origin> {
  if (branch === successor) return { source: { kind: 'none' }, inexact: null }
  if (fork === null) return allObjects('the leader continues no other branch')
  if (fork.from !== branch) return allObjects(`the leader continues branch ${fork.from}`)
  const account = await slotsAccount(host, { database, fork })
  if (typeof account !== 'string') return { source: { kind: 'slot', ...account }, inexact: null }
  return { source: { kind: 'above', id: fork.max }, inexact: aboveWords(account) }
}

function allObjects(why: string): Origin {
  return {
    source: { kind: 'all' },
    inexact: `${why}: these are the last versions of all objects that this host had`,
  }
}

function requestOf(
  { database, publication, site, host, leader, branch, fork, max_size }: Args,
  found: {
    readonly folder: string
    readonly noted: string
    readonly table: { readonly branch: number; readonly oid: number }
    readonly numbers: TableNumbers
    readonly origin: Origin
  },
): SalvageRequest {
  const { folder, noted, table, numbers, origin } = found
  return {
    folder,
    givenUp: noted,
    database,
    publication,
    site,
    host,
    fork,
    numbers,
    branch: table.branch,
    successor: { branch, leader },
    table: table.oid,
    ...origin,
    maxBytes: max_size * MB,
  }
}

/** One that is torn is none: it is made anew. */
function manifestOf(text: string | undefined): SalvageManifest | undefined {
  const parsed = parseJson(text ?? '')
  if (!isObject(parsed) || parsed['format'] !== SALVAGE_FORMAT) return undefined
  const isWhole = isObject(parsed['numbers']) && isObject(parsed['successor'])
  return isWhole ? (parsed as unknown as SalvageManifest) : undefined
}

function givenUp(text: string | undefined, numbers: TableNumbers): string | undefined {
  const parsed = parseJson(text ?? '')
  if (!isObject(parsed) || !isObject(parsed['numbers'])) return undefined
  return isOf(numbers, parsed['numbers'] as unknown as TableNumbers)
    ? String(parsed['why'])
    : undefined
}

/** Against another winner it is another fork. */
function isFor({ branch, leader }: Args, { successor }: SalvageManifest): boolean {
  return successor.branch === branch && successor.leader === leader
}

function isOf(one: TableNumbers, other: TableNumbers): boolean {
  return one.count === other.count && one.sum === other.sum && one.max === other.max
}
