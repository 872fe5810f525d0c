import type { JsonObject } from '../../src/core/json.ts'
import { type Bench, converge, makeKine, startBench, until } from './postgres_bench.ts'

/** Two servers as site.yaml leaves them before the follower subscribes. */
export interface Pair {
  readonly leader: Bench
  readonly follower: Bench
  /** Args of the follower's subscription. */
  present(over?: JsonObject): JsonObject
  /** Empty tables, one slot, no subscription. */
  reset(): Promise<void>
  /** Every table of the subscription is copied and caught up. */
  ready(): Promise<void>
  /** The row with this id is on the follower. */
  arrives(id: number): Promise<void>
  /** Apply and tablesync workers that are alive on the follower. */
  workers(): Promise<number>
  close(): Promise<void>
}

export const ABSENT = { name: 'twonode', database: 'kine', state: 'absent' }

export async function startPair(): Promise<Pair> {
  const [leader, follower] = await Promise.all([
    startBench({ tcp: true }),
    startBench({ tcp: true }),
  ])
  for (const { host } of [leader, follower]) {
    await makeKine(host)
    const tables = ['public.kine']
    await converge(host, 'postgres_publication', { name: 'twonode', database: 'kine', tables })
  }
  await converge(follower.host, 'kine_fence', { database: 'kine', state: 'on' })
  return {
    leader,
    follower,
    present: (over = {}) => presentArgs(leader.server.port, over),
    reset: async () => await reset(leader, follower),
    ready: async () => {
      const all = "select count(*) > 0 and bool_and(srsubstate = 'r') from pg_subscription_rel"
      await until(follower.server, 'kine', all)
    },
    arrives: async (id) =>
      await until(follower.server, 'kine', `select exists (select from kine where id = ${id})`),
    workers: async () => {
      const text = "select from pg_stat_activity where backend_type = 'logical replication worker'"
      return (await follower.server.sql('kine', text)).length
    },
    close: async () => {
      await Promise.all([leader.close(), follower.close()])
    },
  }
}

function presentArgs(port: number, over: JsonObject): JsonObject {
  return {
    name: 'twonode',
    database: 'kine',
    publication: 'twonode',
    slot: 'h2_1_1',
    connection: {
      host: '127.0.0.1',
      port,
      user: 'postgres',
      database: 'kine',
      sslmode: 'disable',
      application_name: 'h2',
    },
    ...over,
  }
}

async function reset(leader: Bench, follower: Bench): Promise<void> {
  await converge(follower.host, 'postgres_subscription', ABSENT)
  await follower.server.sql('kine', 'set session_replication_role = replica; truncate kine')
  await leader.server.sql('kine', 'truncate kine restart identity')
  for (const name of ['h2_1_1', 'h2_1_2'])
    await converge(leader.host, 'replication_slot', { name, database: 'kine', state: 'absent' })
  const slot = { name: 'h2_1_1', database: 'kine', publication: 'twonode' }
  await converge(leader.host, 'replication_slot', slot)
}
