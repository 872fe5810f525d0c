import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { dropSlot } from './parts/replication_slot_changes.ts'
import { NAME_FORM } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly keep: readonly (string | null)[]
}

interface State {
  /** Slots of the database that somebody may subscribe to, sorted. */
  readonly slots: readonly string[]
}

export const replicationSlots = defineModule<Args, State>({
  name: 'replication_slots',
  doc: {
    summary: 'No logical slots of the database but these.',
    notes:
      'A slot that nobody reads any more keeps WAL until its bound, and is never used again (B3). ' +
      'Slots by which a copy is under way (`pg_*_sync_*`) belong to their subscription and are left ' +
      'alone.',
    source: 'https://www.postgresql.org/docs/15/logical-replication-subscription.html',
    examples: [
      { title: "The follower's alone", args: { database: 'kine', keep: ['h2_3_1'] } },
      { title: 'None', args: { database: 'kine', keep: [] } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'keep'],
    properties: {
      database: { ...NAME_FORM, description: 'Database that they decode.' },
      keep: {
        type: 'array',
        items: { type: ['string', 'null'] },
        description: 'Names of those that may stay. `null` names none.',
      },
    },
  },

  key: ({ database }) => [`replication_slots:${database}`],

  async observe(host, { database }) {
    const text = `
      select slot_name::text as name from pg_replication_slots
      where slot_type = 'logical' and plugin = 'pgoutput' and database = $1 and not temporary
        and slot_name !~ '^pg_[0-9]+_sync_' order by 1`
    const rows = await host.sql<{ name: string }>(database, text, [database])
    return { slots: rows.map(({ name }) => name) }
  },

  diff({ slots }, { database, keep }): readonly Change[] {
    return slots.filter((name) => !keep.includes(name)).map((name) => dropSlot(database, name))
  },

  result: ({ slots }) => ({ slots: [...slots] }),
})
