import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { COPY, dropOrphan, dropSlot, SOMEBODY_MAY_COPY } from './parts/replication_slot_changes.ts'
import { NAME_FORM, runCheckpoint } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly keep: readonly (string | null)[]
  readonly checkpoint: boolean
}

interface State {
  /** Slots of the database that somebody may subscribe to, sorted. */
  readonly slots: readonly string[]
  /** Of copies that are under way, or were. */
  readonly copies: readonly string[]
  /** No copy can be under way, for the follower reads its slot and nobody is connected for one. */
  readonly copiesEnded: boolean
}

interface Row {
  readonly name: string
  readonly copy: boolean
  readonly read: boolean
  readonly busy: boolean
}

export const replicationSlots = defineModule<Args, State>({
  name: 'replication_slots',
  doc: {
    summary: 'No logical slots of the database but these.',
    notes:
      'A slot that nobody reads any more keeps WAL until its bound, and is never used again (B3). ' +
      'Slots by which a copy is under way (`pg_*_sync_*`) belong to their subscription and are left ' +
      'alone, until one of those that stay is read and nobody is connected who could be copying: what ' +
      'is left then is of a copy that was cut, and keeps WAL as well. With none to stay nobody can copy.',
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
      checkpoint: {
        type: 'boolean',
        default: false,
        description:
          'Run a CHECKPOINT when one was dropped: the WAL that it kept is removed then, and not before.',
      },
    },
  },

  key: ({ database }) => [`replication_slots:${database}`],

  async observe(host, { database, keep }) {
    const text = `
      select slot_name::text as name, slot_name ~ '${COPY}' as copy, active_pid is not null as read,
        ${SOMEBODY_MAY_COPY} as busy
      from pg_replication_slots
      where slot_type = 'logical' and plugin = 'pgoutput' and database = $1 and not temporary order by 1`
    const rows = await host.sql<Row>(database, text, [database])
    const isRead = rows.some(({ name, read }) => read && keep.includes(name))
    return {
      slots: rows.filter(({ copy }) => !copy).map(({ name }) => name),
      copies: rows.filter(({ copy }) => copy).map(({ name }) => name),
      copiesEnded: isRead && rows.every(({ copy, read, busy }) => !busy && !(copy && read)),
    }
  },

  diff({ slots, copies, copiesEnded }, { database, keep, checkpoint }): readonly Change[] {
    const kept = keep.filter((name) => name !== null)
    const ended = kept.length === 0 ? dropSlot : copiesEnded ? dropOrphan : undefined
    const dropped = slots.filter((name) => !kept.includes(name))
    return [
      ...dropped.map((name) => dropSlot(database, name)),
      ...(checkpoint && dropped.length > 0 ? [runCheckpoint()] : []),
      ...(ended === undefined ? [] : copies.map((name) => ended(database, name))),
    ]
  },

  // Somebody who came back for his copy keeps it.
  settles: ({ keep }) => keep.every((name) => name === null),

  result: ({ slots, copies }) => ({ slots: [...slots], copies: [...copies] }),
})
