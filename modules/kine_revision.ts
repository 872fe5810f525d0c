import type { Change } from '../src/core/change.ts'
import type { Statement } from '../src/core/host.ts'
import { isObject, type Json } from '../src/core/json.ts'
import { defineModule } from '../src/core/module.ts'
import type { Began } from '../src/core/site.ts'
import { type Correction, corrections, type DeadHost } from './parts/dead_host_corrections.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { HIGHEST_BRANCH } from './parts/kine_numbers.ts'
import { NAME_FORM, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly branch: number
  readonly term: number
  readonly began?: Began
  readonly fork_lsn: string | null
  readonly fork_slot: string | null
  readonly dead_host?: DeadHost
  readonly tombstones: readonly string[]
  readonly timeout: string
}

interface State {
  readonly marker: { readonly id: number; readonly value: Json } | null
  /** The highest branch that any marker in the table names; 0: none. */
  readonly highestBranch: number
  readonly maxId: number
  readonly compactRevision: number | null
  /** The last id that the sequence gave. */
  readonly lastGiven: number
  /** What to correct in the same breath; nothing once there is a marker. */
  readonly corrections: readonly Correction[]
}

/**
 * How far a promotion moves the revision on. It must exceed what clients of the dead leader may have
 * seen and we have not: also of one that went on writing behind a cut, for as long as the cut lasts.
 * Kine makes 10 to 60 revisions a second, so this is half a year and more (a million was 5 hours); in
 * a 63-bit id it costs nothing, and leaves room for nine thousand million promotions. @unit revisions
 */
export const JUMP = 1_000_000_000

/** Not below /registry, and outside the range '/' to '0' that lists of everything read. */
const MARKER_PREFIX = 'twonode/branch/'

/** Reading a big table under the lock takes its time. @unit milliseconds */
const STATEMENT_TIMEOUT_MS = 60_000

export const kineRevision = defineModule<Args, State>({
  name: 'kine_revision',
  doc: {
    summary: "The marker of a branch in kine's table, and with it the watch-safe promotion.",
    notes:
      'One transaction under an exclusive lock. A promotion jumps: the marker stands ' +
      '1,000,000,000 revisions on, everything before it counts as compacted, so that every client lists anew and ' +
      'none ever sees a revision go back; **kine must not run meanwhile**, or it fills the gap row by ' +
      'row. Without a jump (the first branch, a hand-over) the marker is an ordinary next row. The ' +
      'marker is live, for kine needs a live row above the compact revision, and its value records the ' +
      'fork point: `{branch, term, forkPoint: {from, slot, lsn, count, sum, max, compactRevision}, at}`; ' +
      'the result has it as `fork`, as hostMeta wants it. It passes the fence. A second run finds the marker and does nothing.',
    source: 'https://github.com/k3s-io/kine/blob/v0.16.4/pkg/logstructured/sqllog/sql.go',
    examples: [
      { title: 'The first branch', args: { database: 'kine', branch: 1, term: 1 } },
      {
        title: "A promotion that releases the dead leader's locks",
        args: {
          database: 'kine',
          branch: 3,
          term: 3,
          fork_lsn: '0/1A2B3C8',
          fork_slot: 'h2_1_1',
          dead_host: { name: 'h1', address: '10.77.0.11' },
        },
      },
      { title: 'A hand-over', args: { database: 'kine', branch: 4, term: 4, began: 'handover' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'branch', 'term'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      branch: {
        type: 'integer',
        minimum: 1,
        description: 'The term of the last change of leader.',
      },
      term: { type: 'integer', minimum: 1, description: 'The term now.' },
      began: {
        type: 'string',
        enum: ['first', 'promotion', 'handover'],
        description:
          'How the branch begins: a promotion jumps. Default: by a promotion, but the first one.',
      },
      fork_lsn: {
        type: ['string', 'null'],
        default: null,
        pattern: '^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$',
        'x-form': "a position such as '0/1A2B3C8'",
        description: "How far the old leader's history is applied here (A1): the origin's LSN.",
      },
      fork_slot: {
        type: ['string', 'null'],
        default: null,
        description: 'The slot by which that history came (A1).',
      },
      dead_host: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'address'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'Its name.' },
          address: { type: 'string', minLength: 1, description: 'Its address.' },
        },
        description:
          "The old leader: a promotion deletes its API server's lease and the locks it held, and takes its address from the API's endpoints (C4).",
      },
      tombstones: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        uniqueItems: true,
        default: [],
        description: 'Further keys to delete in the same breath (C4).',
      },
      timeout: durationSchema(
        'Bound of the wait for the table: a living worker holds it (A6).',
        '5s',
      ),
    },
  },

  key: ({ database, branch }) => [`kine_revision:${database}/${branch}`],

  async observe(host, { database, branch, dead_host, ...rest }) {
    const text = `
      select
        (select json_build_object('id', id, 'value', convert_from(value, 'utf8'))
         from public.kine where name = $1 order by id desc limit 1) as marker,
        ${HIGHEST_BRANCH} as "highestBranch",
        (select coalesce(max(id), 0) from public.kine) as "maxId",
        (select max(prev_revision) from public.kine where name = 'compact_rev_key') as "compactRevision",
        (select case when is_called then last_value else last_value - 1 end
         from public.kine_id_seq) as "lastGiven"`
    const rows = await host.sql<RawState>(database, text, [markerName(branch)])
    const [found] = rows
    if (found === undefined) throw new Error('an aggregate without a row')
    const { marker, ...numbers } = found
    const releases = marker === null && jumps({ ...rest, branch }) && dead_host !== undefined
    return {
      ...numbers,
      marker: marker && { id: marker.id, value: parsed(marker.value) },
      corrections: releases ? await corrections(host, database, dead_host) : [],
    }
  },

  refuse({ highestBranch }, { branch, database }) {
    if (highestBranch <= branch) return undefined
    return (
      `the table of database ${database} is of branch ${highestBranch} already: branch ${branch} is ` +
      'history, and writing its marker now would mix the two'
    )
  },

  diff(state, args): readonly Change[] {
    const bounds = {
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: durationMs(args.timeout),
    }
    if (state.marker === null)
      return [transaction(args.database, markerStatements(args, state.corrections), bounds)]
    // A sequence behind the table would give an id twice: kine could not write.
    if (state.lastGiven >= state.maxId) return []
    return [transaction(args.database, [LOCK, SET_SEQUENCE], bounds)]
  },

  result: ({ marker, maxId, lastGiven, compactRevision }, { branch }) => ({
    exists: marker !== null,
    branch,
    marker_id: marker?.id ?? null,
    marker: marker?.value ?? null,
    fork: isObject(marker?.value) ? (marker.value['forkPoint'] ?? null) : null,
    max_id: maxId,
    last_given_id: lastGiven,
    compact_revision: compactRevision,
  }),
})

type RawState = Omit<State, 'marker' | 'corrections'> & {
  marker: { id: number; value: string } | null
}

function markerName(branch: number): string {
  return `${MARKER_PREFIX}${branch}`
}

/** A marker that is not ours to read is shown as the text that it is. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** Nobody else writes from here on; a living apply worker fails the promotion instead (A6). */
const LOCK: Statement = { text: 'lock table public.kine in exclusive mode' }

const SET_SEQUENCE: Statement = {
  text:
    "select setval('public.kine_id_seq', greatest(s.last_value, (select max(id) from public.kine))) " +
    'from public.kine_id_seq s',
}

/** kine's clients list anew after a promotion; nothing else may move the revision on. */
function jumps({ branch, began }: Pick<Args, 'branch' | 'began'>): boolean {
  return (began ?? (branch > 1 ? 'promotion' : 'first')) === 'promotion'
}

function markerStatements(args: Args, found: readonly Correction[]): readonly Statement[] {
  const { branch, term, fork_lsn, fork_slot } = args
  const isJump = jumps(args)
  const name = markerName(branch)
  const asked = args.tombstones.map((key) => ({ name: key, value: null }))
  const rows = [...asked, ...found.filter((one) => !args.tombstones.includes(one.name))]
  const values = [name, isJump ? JUMP : 1, branch, term, fork_lsn, fork_slot]
  return [
    // The fence is up while a follower is promoted; triggers of mode O don't fire for this session.
    { text: 'set local session_replication_role = replica' },
    LOCK,
    { text: INSERT_MARKER, values },
    ...(isJump ? [{ text: ONE_COMPACT_ROW }, { text: COMPACT, values: [name] }] : []),
    ...(rows.length === 0
      ? []
      : [{ text: INSERT_CORRECTIONS, values: [name, JSON.stringify(rows)] }]),
    SET_SEQUENCE,
  ]
}

/** The fork point is counted under the lock, before the marker is in it (A1). */
const INSERT_MARKER = `
  with fork as (
    select count(*) as rows, coalesce(sum(id), 0) as total, coalesce(max(id), 0) as highest,
      coalesce(max(prev_revision) filter (where name = 'compact_rev_key'), 0) as compacted,
      coalesce(max(split_part(name, '/', 3)::bigint) filter (where name ~ '^twonode/branch/[0-9]+$'), 0) as came_from
    from public.kine)
  insert into public.kine
    (id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
  select highest + $2::bigint, $1::text, 1, 0, 0, 0, 0, convert_to(json_build_object(
      'branch', $3::bigint, 'term', $4::bigint,
      'forkPoint', case when $3::bigint > 1 then json_build_object('from', came_from, 'slot', $6::text,
        'lsn', $5::text, 'count', rows, 'sum', total::text, 'max', highest, 'compactRevision', compacted) end,
      'at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text, 'utf8'), null
  from fork`

/** kine once made two; it keeps the one that is further on when it starts, and so do we. */
const ONE_COMPACT_ROW = `
  delete from public.kine where name = 'compact_rev_key' and id <> (
    select id from public.kine where name = 'compact_rev_key'
    order by prev_revision desc, id desc limit 1)`

const COMPACT = `
  update public.kine set prev_revision = (select id from public.kine where name = $1)
  where name = 'compact_rev_key'`

/** As kine deletes or updates a key: a row of its own that names the live one, whose value it keeps (C4). */
const INSERT_CORRECTIONS = `
  insert into public.kine
    (id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
  select m.id + row_number() over (order by l.name collate "C"), l.name, 0, (c.value is null)::int,
    case when c.value is null then 0 when l.created = 1 then l.id else l.create_revision end, l.id,
    case when c.value is null then 0 else l.lease end, decode(c.value, 'base64'), l.value
  from (select id from public.kine where name = $1) m,
    json_to_recordset($2::json) as c (name text, value text)
    join lateral (select k.* from public.kine k where k.name = c.name order by k.id desc limit 1) l on true
  where l.deleted = 0`
