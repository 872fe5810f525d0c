import { apply } from '../../src/engine/apply.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { type Change, describeChange } from '../../src/core/change.ts'
import type { Host } from '../../src/core/host.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { AnyModule } from '../../src/core/module.ts'
import { createLocalHost, type LocalHost } from '../../src/host/local.ts'
import { registry } from '../../modules/index.ts'
import { validatorFor } from '../../modules/parts/validators.ts'
import {
  startPostgres,
  type ThrowawayOptions,
  type ThrowawayPostgres,
} from './throwaway_postgres.ts'

/** Longest that one change may take in a test. @unit milliseconds */
const CHANGE_TIMEOUT_MS = 60_000

/** A throw-away PostgreSQL, and the real Host that speaks to it. */
export interface Bench {
  readonly server: ThrowawayPostgres
  readonly host: LocalHost
  close(): Promise<void>
}

export async function startBench(options: ThrowawayOptions = {}): Promise<Bench> {
  const settings = {
    wal_level: 'logical',
    wal_retrieve_retry_interval: '200ms',
    ...options.settings,
  }
  const server = await startPostgres({ ...options, settings })
  const { socketDirectory, port } = server
  const host = createLocalHost({ name: 'h1', digestsPath: null, socketDirectory, port })
  return {
    server,
    host,
    close: async () => {
      await host.close()
      await server.stop()
    },
  }
}

/** A module as the engine sees it, for one set of args. */
export interface Step {
  readonly module: AnyModule
  readonly args: unknown
}

export function step(name: string, args: JsonObject): Step {
  const module = registry.get(name)
  if (module === undefined) throw new Error(`no module ${name}`)
  const filled = structuredCloneOfPlain(args)
  const problems = validatorFor(name)(filled)
  if (problems.length > 0)
    throw new Error(problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
  return { module, args: filled }
}

/** Secrets are class instances: they are kept as they are. */
function structuredCloneOfPlain(args: JsonObject): unknown {
  return { ...args }
}

/** What the module would change, without changing it. Throws its refusal. */
export async function plan(host: Host, { module, args }: Step): Promise<readonly Change[]> {
  const state = await module.observe(host, args)
  const refusal = module.refuse?.(state, args, () => {
    throw new Error('no expressions here')
  })
  if (refusal !== undefined) throw new Error(`refused: ${refusal}`)
  return module.diff(state, args)
}

export async function applyAll(host: Host, changes: readonly Change[]): Promise<void> {
  for (const change of changes)
    await apply(host, change, {
      clock: systemClock,
      deadline: systemClock.now() + CHANGE_TIMEOUT_MS,
      stop: new AbortController().signal,
    })
}

/** One whole turn of the engine for one step; the summaries of what was changed. */
export async function converge(
  host: Host,
  name: string,
  args: JsonObject,
): Promise<readonly string[]> {
  const task = step(name, args)
  const changes = await plan(host, task)
  await applyAll(host, changes)
  const left = task.module.settles?.(task.args) === false ? [] : await plan(host, task)
  if (left.length > 0) throw new Error(`not converged: ${left.map(describeChange).join('\n')}`)
  return changes.map(describeChange)
}

/** What the module registers of the state that is there. */
export async function result(host: Host, name: string, args: JsonObject): Promise<JsonObject> {
  const { module, args: filled } = step(name, args)
  return module.result?.(await module.observe(host, filled), filled) ?? {}
}

export async function notes(
  host: Host,
  name: string,
  args: JsonObject,
): Promise<readonly string[]> {
  const { module, args: filled } = step(name, args)
  return module.notes?.(await module.observe(host, filled), filled) ?? []
}

/** Polls until the query's first column is true. */
export async function until(
  server: ThrowawayPostgres,
  database: string,
  text: string,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const [row] = await server.sql(database, text)
    if (row !== undefined && Object.values(row)[0] === true) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it did not come true in ${timeoutMs} ms: ${text}`)
}

/** kine's role, database and table, by the modules themselves. */
export async function makeKine(host: Host): Promise<void> {
  await converge(host, 'postgres_role', { name: 'kine' })
  await converge(host, 'postgres_database', { name: 'kine', owner: 'kine' })
  await converge(host, 'kine_schema', { database: 'kine' })
}

/** A row as kine writes one. */
export async function kineWrites(
  server: ThrowawayPostgres,
  name: string,
  value: string,
): Promise<number> {
  const [row] = await server.sql<{ id: string }>(
    'kine',
    `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
     values ($1, 1, 0, 0, coalesce((select max(id) from kine where name = $1), 0), 0, convert_to($2, 'utf8'))
     returning id`,
    [name, value],
  )
  return Number(row?.id)
}
