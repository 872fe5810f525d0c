import { NotYet } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import type { ForkPoint } from '../src/core/site.ts'
import { FORK_SCHEMA } from './parts/fork_schema.ts'
import { compareHistory } from './parts/history_comparison.ts'
import { HIGHEST_BRANCH } from './parts/kine_numbers.ts'
import { NAME_FORM } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly subscription: string
  readonly publication: string
  readonly slot: string | null
  readonly fork: ForkPoint | null
}

/** What this host's table is to the leader's. */
type State =
  /** Its table follows by the leader's slot: whatever is under way goes on (B4). */
  | { readonly kind: 'joined' }
  | { readonly kind: 'empty' }
  /** It holds what its successor held at the fork, all of it and nothing more. */
  | { readonly kind: 'same' }
  | { readonly kind: 'other'; readonly why: string }

/** Taken in as it is, the table would never get what was written until its leader published it again (A2). */
const NOTHING_PUBLISHED = 'this host subscribed while the leader published nothing'

/** A slot of another number was made later than its branch's marker: rows before it would be missed. */
const MADE_WITH_THE_MARKER = /_1$/

export const kineHistory = defineModule<Args, State>({
  name: 'kine_history',
  doc: {
    summary: "Whether this host's table is the part of the leader's history that it must be (A1).",
    notes:
      'It only reads. A host that does not follow by the slot yet may subscribe without a copy only if ' +
      "its table is exactly what the leader's was at the fork point: it is of the branch that the leader " +
      "continued, its own slot for the leader shows no commit beyond the fork's position, its WAL reaches " +
      'that far, and count, sum and maximum of ids and the compact revision are those of the fork. The ' +
      'same maximum alone proves nothing: ids are not committed in their order. What can not be told is ' +
      'answered by a copy. It registers `joined`, `copy` (a copy is needed), `swap` (the table must be ' +
      'moved away first) and `why`. kine must not write meanwhile.',
    source: 'https://www.postgresql.org/docs/15/functions-admin.html#FUNCTIONS-REPLICATION',
    examples: [
      {
        title: 'A leader that was',
        args: {
          database: 'kine',
          slot: 'h1_3_1',
          fork: {
            from: 1,
            slot: 'h2_1_1',
            lsn: '0/1A2B3C8',
            count: 812,
            sum: '340212',
            max: 901,
            compactRevision: 120,
          },
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'slot'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      subscription: { ...NAME_FORM, default: 'twonode', description: 'Name of the subscription.' },
      publication: {
        ...NAME_FORM,
        default: 'twonode',
        description: 'Publication of this host: what its own slot is read by.',
      },
      slot: { type: ['string', 'null'], description: "This host's slot at the leader." },
      fork: FORK_SCHEMA,
    },
  },

  key: () => [],

  async observe(host, args) {
    const found = await lookAtTable(host, args)
    if (!found.exists) throw new NotYet(`database ${args.database} has no table public.kine`)
    const hasSlot = found.slot !== null && found.slot === args.slot
    if (hasSlot && found.covers) return { kind: 'joined' }
    const { database } = args
    const [table] = await host.sql<{ filled: boolean; branch: number }>(
      database,
      `select exists (select from public.kine) as filled, ${HIGHEST_BRANCH} as branch`,
    )
    if (table?.filled !== true) return { kind: 'empty' }
    if (hasSlot) return { kind: 'other', why: NOTHING_PUBLISHED }
    const why = hopeless(args, { branch: table.branch, subscribed: found.subscribed })
    if (why !== undefined || args.fork === null) return { kind: 'other', why: why ?? 'no fork' }
    const difference = await compareHistory(host, { ...args, fork: args.fork })
    return difference === undefined ? { kind: 'same' } : { kind: 'other', why: difference }
  },

  diff: () => [],

  result: (state) => ({
    joined: state.kind === 'joined',
    copy: state.kind === 'empty' || state.kind === 'other',
    swap: state.kind === 'other',
    why: state.kind === 'other' ? state.why : state.kind,
  }),

  notes: (state) => (state.kind === 'other' ? [`the table will be copied anew: ${state.why}`] : []),
})

interface Found {
  readonly exists: boolean
  readonly subscribed: boolean
  readonly slot: string | null
  /** Its subscription is of kine's table. */
  readonly covers: boolean
}

async function lookAtTable(host: Observer, { database, subscription }: Args): Promise<Found> {
  const text = `
    select to_regclass('public.kine') is not null as exists, s.oid is not null as subscribed,
      s.subslotname::text as slot, exists (select from pg_subscription_rel r
        where r.srsubid = s.oid and r.srrelid = to_regclass('public.kine')) as covers
    from (select) one left join pg_subscription s on s.subname = $1
      and s.subdbid = (select oid from pg_database where datname = current_database())`
  const [found] = await host.sql<Found>(database, text, [subscription])
  return found ?? { exists: false, subscribed: false, slot: null, covers: false }
}

/** What needs no comparison to be known for another history. */
function hopeless(
  { slot, fork }: Args,
  { branch, subscribed }: { readonly branch: number; readonly subscribed: boolean },
): string | undefined {
  if (fork === null) return 'the leader continues no other branch: whoever comes to it copies'
  if (slot === null || !MADE_WITH_THE_MARKER.test(slot))
    return `the slot ${slot ?? ''} was made later than the branch: it misses what came before (B3)`
  if (subscribed) return 'this host followed by another slot'
  if (branch !== fork.from)
    return `this host's table is of branch ${branch}, and the leader's continues branch ${fork.from}`
  return undefined
}
