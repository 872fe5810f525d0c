import { createLocalHost, type LocalHost } from '../../host/local.ts'

/** All live rows of kine's table as they were at a revision, in one number. */
export interface Content {
  readonly revision: number
  readonly digest: string
}

/** It reads the whole table, values included. @unit milliseconds */
const BOUNDS = { statementTimeoutMs: 120_000, lockTimeoutMs: 5_000 }

/**
 * For each name its newest row up to the revision, if it is no deletion: a compaction takes none of these
 * while its own revision is not beyond that one, and so two hosts can be compared while both go on. What
 * kine keeps of itself is left out.
 */
const CONTENT = `
  with asked as (select coalesce($1::int8, (select max(id) from public.kine), 0) as revision),
    live as (select distinct on (name) id, name, deleted, create_revision, lease, value
      from public.kine, asked where id <= revision and name !~ '^(compact_rev_key|gap-)'
      order by name, id desc)
  select revision, (select coalesce(max(id), 0) from public.kine) as max,
    (select coalesce(max(prev_revision), 0) from public.kine where name = 'compact_rev_key') as compacted,
    (select count(*) || ':' || coalesce(sum(hashtextextended(
      row(id, name, create_revision, lease, md5(value))::text, 0)::numeric), 0)
      from live where deleted = 0) as digest
  from asked`

interface Row {
  readonly revision: number
  readonly max: number
  readonly compacted: number
  readonly digest: string
}

/** What this host's table holds; null: at that revision nobody can tell any more, or not yet. */
export type ReadContent = (revision: number | null) => Promise<Content | null>

/** By a connection of its own, for the time of one look: nobody else waits for it. */
export function contentReader(
  database: string,
  open: () => Pick<LocalHost, 'sql' | 'close'>,
): ReadContent {
  return async (wanted) => {
    const host = open()
    try {
      const [row] = await host.sql<Row>(database, CONTENT, [wanted], BOUNDS)
      if (row === undefined) throw new Error('a query of one row without a row')
      const { revision, max, compacted, digest } = row
      return revision <= max && compacted <= revision ? { revision, digest } : null
    } finally {
      await host.close()
    }
  }
}

/** The number of kine's table, another one for each copy; null: there is none. */
export async function tableNumber({ host, plan }: ContentOf): Promise<number | null> {
  const { port, database } = plan.site.postgres
  const own = createLocalHost({ name: host, port, direct: true, digestsPath: null })
  try {
    const text = "select to_regclass('public.kine')::oid::int8 as oid"
    const [row] = await own.sql<{ oid: number | null }>(database, text)
    return row?.oid ?? null
  } finally {
    await own.close()
  }
}

interface ContentOf {
  readonly host: string
  readonly plan: { readonly site: { readonly postgres: { port: number; database: string } } }
}

export function ownContent({ host, plan }: ContentOf): ReadContent {
  const { port, database } = plan.site.postgres
  return contentReader(database, () =>
    createLocalHost({ name: host, port, direct: true, digestsPath: null }),
  )
}
