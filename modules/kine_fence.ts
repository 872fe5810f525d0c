import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { BODY, DEFINITION, RAISE, takeFrom } from './parts/kine_fence_text.ts'
import { NAME_FORM, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly database: string
  readonly state: 'on' | 'off'
  readonly ends?: string
  readonly timeout: string
}

interface Trigger {
  readonly kind: 'present'
  /** As pg_get_triggerdef gives it. */
  readonly definition: string
  /** `O` fires for everyone but replication; `A` always, `R` for replication only, `D` never. */
  readonly mode: 'O' | 'A' | 'R' | 'D'
  readonly source: string
}

type State = { readonly kind: 'missing' } | Trigger

export const kineFence = defineModule<Args, State>({
  name: 'kine_fence',
  doc: {
    summary: "The fence on kine's table: no write but replication's, while it is on.",
    notes:
      'A statement trigger that answers SQLSTATE 25006. It waits for the table no longer than ' +
      '`timeout`: a commit that waits for a dead follower holds its lock, so end the writers first (B1), ' +
      'and name their role with `ends`: one of them may be back before the fence is up.',
    source: 'https://www.postgresql.org/docs/15/sql-createtrigger.html',
    examples: [
      { title: 'A follower takes no writes', args: { database: 'kine', state: 'on' } },
      { title: 'A leader does', args: { database: 'kine', state: 'off' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'state'],
    properties: {
      database: { ...NAME_FORM, description: 'Database of the table.' },
      state: { type: 'string', enum: ['on', 'off'], description: 'Whether writes are refused.' },
      ends: {
        ...NAME_FORM,
        description: 'With `on`: the role whose sessions are ended when they hold the table.',
      },
      timeout: durationSchema('Bound of the wait for the table.', '3s'),
    },
  },

  key: ({ database }) => [`kine_fence:${database}`],

  async observe(host, { database }) {
    // The cast is what says that the table is not there yet.
    const text = `
      select pg_get_triggerdef(t.oid) as definition, t.tgenabled as mode, p.prosrc as source
      from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      where t.tgrelid = 'public.kine'::regclass and t.tgname = 'twonode_fence'`
    const [found] = await host.sql<Omit<Trigger, 'kind'>>(database, text)
    return found === undefined ? { kind: 'missing' } : { kind: 'present', ...found }
  },

  diff(state, { database, state: wanted, ends, timeout }): readonly Change[] {
    const lockTimeoutMs = durationMs(timeout)
    if (wanted === 'on') {
      const take = ends === undefined ? [] : [takeFrom(ends, lockTimeoutMs)]
      return isUp(state) ? [] : [transaction(database, [...take, ...RAISE], { lockTimeoutMs })]
    }
    if (state.kind === 'missing') return []
    const drop = 'drop trigger if exists twonode_fence on public.kine'
    return [transaction(database, [drop], { lockTimeoutMs })]
  },

  result: (state) => ({ on: isUp(state) }),
})

function isUp(state: State): boolean {
  return (
    state.kind === 'present' &&
    state.definition === DEFINITION &&
    state.mode === 'O' &&
    state.source === BODY
  )
}
