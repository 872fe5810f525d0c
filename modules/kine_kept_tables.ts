import type { Observer } from '../src/core/host.ts'
import { isObject, parseJson } from '../src/core/json.ts'
import { defineModule } from '../src/core/module.ts'
import { SALVAGE_FILES, VERIFIED_FILE } from '../src/core/salvage.ts'
import { identifier } from '../src/core/sql.ts'
import { NAME_FORM, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly directory: string
  readonly keep: number
}

/** A table of a branch that lost, in a schema of its own. */
interface Kept {
  readonly schema: string
  /** `none`: nothing of it was saved. `part`: values are in it that the salvage has not. */
  readonly salvage: 'none' | 'part' | 'whole' | 'settled'
}

interface State {
  /** The table of now is known to be the leader's content. */
  readonly verified: boolean
  /** Oldest first. */
  readonly kept: readonly Kept[]
}

const PREFIX = 'twonode_branch_'

/** A table of a gigabyte is unlinked, not read. @unit milliseconds */
const DROP_TIMEOUT_MS = 60_000

export const kineKeptTables = defineModule<Args, State>({
  name: 'kine_kept_tables',
  doc: {
    summary: 'Old tables of branches that lost are dropped when nobody needs them any more.',
    notes:
      "None is, until the table of now is known to be the leader's content: the agent compares the two by " +
      'a digest and writes that down. Then one goes whose salvage was discarded, or replayed and whole, and one that ' +
      'is older than the `keep` newest, if its salvage has all that it had. One of which nothing was saved, ' +
      'or not all, stays until an operator has discarded it. It registers `kept`, how many there are, and `verified`.',
    source: 'https://www.postgresql.org/docs/15/sql-dropschema.html',
    examples: [
      {
        title: 'Three are kept',
        args: { database: 'kine', directory: '/var/lib/twonode/salvage', keep: 3 },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'directory', 'keep'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the tables.' },
      directory: { type: 'string', pattern: '^/', description: 'Where salvages are kept.' },
      keep: { type: 'integer', minimum: 1, description: 'Tables that stay in any case.' },
    },
  },

  key: ({ database }) => [`kine_kept_tables:${database}`],

  async observe(host, { database, directory }) {
    const text = `select nspname::text as schema, to_regclass('public.kine')::oid::int8 as oid
      from pg_namespace where nspname ~ '^${PREFIX}[0-9]+_[0-9]+$' order by pg_namespace.oid`
    const rows = await host.sql<{ schema: string; oid: number | null }>(database, text)
    const [first] = rows
    if (first === undefined) return { verified: false, kept: [] }
    const verified = parseJson((await host.readFile(`${directory}/${VERIFIED_FILE}`)) ?? '')
    const kept = await Promise.all(
      rows.map(async ({ schema }) => ({
        schema,
        salvage: await salvageOf(host, directory, schema),
      })),
    )
    return { verified: isObject(verified) && verified['table'] === first.oid, kept }
  },

  diff: (state, { database, keep }) =>
    droppable(state, keep).map((schema) =>
      transaction(database, [`drop schema ${identifier(schema)} cascade`], {
        statementTimeoutMs: DROP_TIMEOUT_MS,
      }),
    ),

  result: ({ kept, verified }) => ({ kept: kept.length, verified }),
})

function droppable({ verified, kept }: State, keep: number): readonly string[] {
  if (!verified) return []
  const older = new Set(kept.slice(0, Math.max(0, kept.length - keep)))
  return kept
    .filter((one) => one.salvage === 'settled' || (one.salvage === 'whole' && older.has(one)))
    .map(({ schema }) => schema)
}

async function salvageOf(
  host: Observer,
  directory: string,
  schema: string,
): Promise<Kept['salvage']> {
  const folder = `${directory}/${schema.slice(PREFIX.length)}`
  const read = async (name: string) => parseJson((await host.readFile(`${folder}/${name}`)) ?? '')
  const manifest = await read(SALVAGE_FILES.manifest)
  if (!isObject(manifest)) return 'none'
  const isWhole = manifest['exact'] === true && manifest['missing'] === null
  const settled = await read(SALVAGE_FILES.settled)
  // A replay gives back what was saved, and knows nothing of the rest.
  if (isObject(settled) && (isWhole || settled['kind'] === 'discarded')) return 'settled'
  return isWhole ? 'whole' : 'part'
}
