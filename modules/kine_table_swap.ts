import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { identifier } from '../src/core/sql.ts'
import { RAISE } from './parts/kine_fence_text.ts'
import { HIGHEST_BRANCH } from './parts/kine_numbers.ts'
import { createTable } from './parts/kine_table.ts'
import { NAME_FORM, transaction } from './parts/postgres_sql.ts'
import { goneChanges } from './parts/postgres_subscription_changes.ts'
import {
  observeSubscription,
  type State as Subscription,
} from './parts/postgres_subscription_state.ts'

interface Args {
  readonly database: string
  readonly owner: string
  readonly subscription: string
  readonly publication: string
}

interface State {
  readonly filled: boolean
  /** The table's own number: with it the schema's name is its own. */
  readonly oid: number
  readonly branch: number
  /** The schema that was made last for a table of another history; null: none. */
  readonly kept: string | null
  readonly subscription: Subscription
}

export const kineTableSwap = defineModule<Args, State>({
  name: 'kine_table_swap',
  doc: {
    summary: "An empty table of kine's in the place of a full one, which is kept.",
    notes:
      "For a host whose history is another than its leader's. The subscription goes first; then, in one " +
      'transaction, the table moves to the schema `twonode_branch_<branch>_<number>` with its sequence, a ' +
      "fresh one is made by kine's own DDL with the fence on it, and the publication names the fresh one: " +
      'publication, fence and sequence would otherwise follow the old table, and a follower would take its ' +
      "leader's word for rows that it never got (A2). An empty table stays. Nothing that was kept is ever " +
      'removed here. It registers `kept`, the schema that was made last, or null.',
    source: 'https://www.postgresql.org/docs/15/sql-altertable.html',
    examples: [{ title: 'Before a copy', args: { database: 'kine' } }],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      owner: { ...NAME_FORM, default: 'kine', description: 'Role that owns the fresh table.' },
      subscription: { ...NAME_FORM, default: 'twonode', description: 'Subscription to drop.' },
      publication: {
        ...NAME_FORM,
        default: 'twonode',
        description: 'Publication that names the table.',
      },
    },
  },

  key: ({ database }) => [`kine_table_swap:${database}`],

  async observe(host, { database, subscription }) {
    const [table] = await host.sql<Omit<State, 'subscription'>>(
      database,
      `select exists (select from public.kine) as filled, 'public.kine'::regclass::oid::int8 as oid,
        ${HIGHEST_BRANCH} as branch,
        (select nspname::text from pg_namespace where nspname like 'twonode\\_branch\\_%'
          order by oid desc limit 1) as kept`,
    )
    if (table === undefined) throw new Error('a query of one row without a row')
    const asked = { name: subscription, database, state: 'absent', tables: [], copy_data: false }
    return {
      ...table,
      subscription: await observeSubscription(host, { ...asked, state: 'absent' }),
    }
  },

  result: ({ kept }) => ({ kept }),

  diff({ filled, oid, branch, subscription }, args): readonly Change[] {
    if (!filled) return []
    const { database, owner, publication } = args
    const kept = identifier(`twonode_branch_${branch}_${oid}`)
    return [
      ...goneChanges(subscription, { name: args.subscription, database }),
      transaction(database, [
        `create schema ${kept}`,
        `alter table public.kine set schema ${kept}`,
        ...createTable(owner),
        'reset role',
        ...RAISE,
        `alter publication ${identifier(publication)} set table public.kine`,
      ]),
    ]
  },
})
