import { defineModule } from '../src/core/module.ts'
import { type KineNumbers, NUMBERS } from './parts/kine_numbers.ts'
import { NAME_FORM } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
}

interface State extends KineNumbers {
  readonly digest: string
}

/** It reads the whole table, values included. @unit milliseconds */
const TIMEOUT_MS = 120_000

/** The same for the same rows, in whatever order they lie on the disk. */
const DIGEST = `
  coalesce(sum(hashtextextended(row(id, name, created, deleted, create_revision, prev_revision, lease,
    md5(value), md5(old_value))::text, 0)::numeric), 0)::text as digest`

export const kineDigest = defineModule<Args, State>({
  name: 'kine_digest',
  doc: {
    summary: "A number for all that is in kine's table: the same on two hosts with the same rows.",
    notes:
      'It only reads, all of the table. It registers `digest`, with `count`, `sum` and `max` of ids and ' +
      "`compact_revision` beside it, for people. A hand-over compares both hosts' (A7).",
    source: 'https://www.postgresql.org/docs/15/functions-string.html',
    examples: [{ title: "kine's table", args: { database: 'kine' } }],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database'],
    properties: { database: { ...NAME_FORM, description: 'Database of the table.' } },
  },

  key: () => [],

  async observe(host, { database }) {
    const bounds = { statementTimeoutMs: TIMEOUT_MS, lockTimeoutMs: 5_000 }
    const text = `select ${NUMBERS}, ${DIGEST} from public.kine`
    const [row] = await host.sql<State>(database, text, [], bounds)
    if (row === undefined) throw new Error('an aggregate without a row')
    return row
  },

  diff: () => [],

  result: ({ compactRevision, digest, count, sum, max }) => ({
    digest: `${count}:${sum}:${max}:${compactRevision}:${digest}`,
    count,
    sum,
    max,
    compact_revision: compactRevision,
  }),
})
