import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from './lab.ts'
import { HOST_NAMES, peerOf, type HostName } from './names.ts'
import { arePaired, metaOf } from './pair_view.ts'
import { countAnew, kineRow } from './trial_pair.ts'
import { killGroup, startTwonode, type Laptop } from './twonode_process.ts'
import { seenWithin, until } from './wait.ts'

const POSTGRES = 'postgresql@15-main.service'

interface CopyOrders {
  readonly lab: Lab
  readonly from: Laptop
  readonly leader: HostName
  readonly follower: HostName
}

/** What is thrown into a copy, and how it ends. */
interface CopyFault {
  readonly strike: (orders: CopyOrders) => Promise<unknown> | number
  readonly mend?: (orders: CopyOrders) => Promise<unknown>
}

const powerOff =
  (...who: readonly ('leader' | 'follower')[]) =>
  (orders: CopyOrders) =>
    Promise.all(who.map((role) => orders.lab.powerOff(orders[role])))

const powerOn =
  (...who: readonly ('leader' | 'follower')[]) =>
  (orders: CopyOrders) =>
    Promise.all(who.map((role) => orders.lab.powerOn(orders[role])))

// oxfmt-ignore
export const COPY_FAULTS = {
  'SIGKILL postgres':      { strike: ({ lab, follower }) => lab.signalUnit(follower, POSTGRES) },
  'SIGKILL agent':         { strike: ({ lab, follower }) => lab.signalUnit(follower, 'twonode-agent.service') },
  'SIGKILL runner':        { strike: killedConverge },
  'power of the follower': { strike: powerOff('follower'), mend: powerOn('follower') },
  'power of the leader':   { strike: powerOff('leader'), mend: powerOn('leader') },
  'power of both':         { strike: powerOff('leader', 'follower'), mend: powerOn('follower', 'leader') },
  'full disk':             { strike: ({ lab, follower }) => lab.fillDisk(follower), mend: ({ lab }) => lab.heal() },
} as const satisfies Record<string, CopyFault>

export type CopyFaultName = keyof typeof COPY_FAULTS

export const COPY_FAULT_NAMES = Object.keys(COPY_FAULTS) as readonly CopyFaultName[]

/** One copy of a follower's table, a fault in it, and how the pair came together again. */
export interface CopyTrial {
  readonly fault: CopyFaultName
  /** After the copy was seen to be under way. @unit milliseconds */
  readonly atMs: number
  /** It was still under way when the fault came. */
  readonly inTime: boolean
  /** Hosts with power that had a valid copy right after the fault; null: none has power. */
  readonly after: readonly HostName[] | null
  /** The same when all has power again. */
  readonly mended: readonly HostName[]
  /** From then on until the two are a pair with the same rows; undefined: not in time. @unit milliseconds */
  readonly paired: number | undefined
}

/** Nowhere was there a moment without a valid copy, and in the end there are two. */
export function keptACopy({ after, mended, paired }: CopyTrial): boolean {
  return (after === null || after.length > 0) && mended.length > 0 && paired !== undefined
}

/** Bounds of what is waited for. @unit milliseconds */
const COPYING_TIMEOUT_MS = 60_000
const ANSWER_TIMEOUT_MS = 60_000

const KEY = '/twonode/bulk'

/** Of random bytes, which neither a page nor a stream makes smaller; 4 MiB in each commit. */
const BULK = `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
  select '${KEY}/' || gen_random_uuid(), 1, 0, 0, 0, 0,
    (select decode(string_agg(md5(random()::text || n || i), ''), 'hex') from generate_series(1, 1024) i)
  from generate_series(1, 256) n`

const COMMIT_MIB = 4

/** Rows that nobody changes, which every valid copy has. Gives their digest. */
export async function fillTable(lab: Lab, leader: HostName, mib: number): Promise<string> {
  for (let done = 0; done < mib; done += COMMIT_MIB) await kineRow(lab, leader, BULK)
  return await digestOf(lab, leader, 'public')
}

async function digestOf(lab: Lab, host: HostName, schema: string): Promise<string> {
  const query = `select count(*) || ' ' || coalesce(sum(hashtextextended(name || md5(value), 0)), 0)
    from ${schema}.kine where name like '${KEY}/%'`
  return await kineRow(lab, host, query)
}

/** Makes the follower copy, strikes in the middle, and looks at every table that there is. */
export async function copyTrial(
  orders: Omit<CopyOrders, 'follower'> & {
    readonly fault: CopyFaultName
    readonly atMs: number
    /** Of {@link fillTable}. */
    readonly digest: string
    readonly pairedWithinMs: number
  },
): Promise<CopyTrial> {
  const { lab, leader, fault, atMs, digest, pairedWithinMs } = orders
  const follower = peerOf(leader)
  const who = { ...orders, follower }
  await countAnew(lab)
  await beginCopy(lab, leader)
  // Where in the copy it comes is the trial's input, not a wait for a state.
  await pause(atMs)
  const inTime = await isCopying(lab, follower)
  const { strike, mend }: CopyFault = COPY_FAULTS[fault]
  await strike(who)
  const dark = HOST_NAMES.filter((host) => fault.startsWith('power') && isStruck(fault, host, who))
  const lit = HOST_NAMES.filter((host) => !dark.includes(host))
  const after = lit.length === 0 ? null : await validCopies(lab, lit, digest)
  await mend?.(who)
  const mendedAt = Date.now()
  const mended = await validCopies(lab, HOST_NAMES, digest)
  const whole = async (): Promise<boolean> =>
    arePaired(lab) && (await digestOf(lab, follower, 'public')) === digest
  const back = await seenWithin(whole, { timeoutMs: pairedWithinMs, everyMs: 250 })
  const paired = back ? Date.now() - mendedAt : undefined
  if (back) await dropKept(lab)
  return { fault, atMs, inTime, after, mended, paired }
}

function isStruck(fault: CopyFaultName, host: HostName, { leader }: CopyOrders): boolean {
  if (fault === 'power of both') return true
  return (fault === 'power of the leader') === (host === leader)
}

/** Its slot is gone: the leader gives it one of another name, and a copy (B3). */
async function beginCopy(lab: Lab, leader: HostName): Promise<void> {
  const before = metaOf(lab, leader)?.slot
  await until(
    'the slot to be another one',
    async () => {
      if (metaOf(lab, leader)?.slot !== before) return true
      await kineRow(lab, leader, DROP)
      return undefined
    },
    { timeoutMs: COPYING_TIMEOUT_MS },
  )
  const copying = async (): Promise<true | undefined> =>
    (await isCopying(lab, peerOf(leader))) || undefined
  await until('the copy to begin', copying, { timeoutMs: COPYING_TIMEOUT_MS })
}

/** A follower is faster back at its slot than two statements are: then once more. */
const DROP = `do $$ begin
  perform pg_terminate_backend(active_pid, 5000) from pg_replication_slots where active;
  perform pg_drop_replication_slot(slot_name) from pg_replication_slots;
end $$`

async function isCopying(lab: Lab, follower: HostName): Promise<boolean> {
  const text = "select count(*) from pg_subscription_rel where srsubstate <> 'r'"
  return (await kineRow(lab, follower, text)) === '1'
}

/** Those with a table, of now or kept aside, in which every one of the rows is as it was. */
async function validCopies(
  lab: Lab,
  hosts: readonly HostName[],
  digest: string,
): Promise<HostName[]> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const schemas = await until(
        `PostgreSQL of ${host}`,
        async () => (await kineRow(lab, host, SCHEMAS)) || undefined,
        { timeoutMs: ANSWER_TIMEOUT_MS, everyMs: 100 },
      ).catch(() => '')
      for (const schema of schemas.split(',').filter((name) => name !== ''))
        if ((await digestOf(lab, host, schema)) === digest) return host
      return undefined
    }),
  )
  return found.filter((host) => host !== undefined)
}

const SCHEMAS = `select string_agg(schemaname, ',' order by schemaname) from pg_tables where tablename = 'kine'`

/** Of copies before: each is as large as the table. */
async function dropKept(lab: Lab): Promise<void> {
  const text = `do $$ declare kept text; begin
    for kept in select nspname from pg_namespace where nspname like 'twonode\\_branch\\_%' loop
      execute format('drop schema %I cascade', kept);
    end loop; end $$`
  for (const host of HOST_NAMES) await kineRow(lab, host, text)
}

/** A laptop's converge, whose runner on the follower is killed: of another one, when it was too short to be hit. */
async function killedConverge({ lab, from, follower }: CopyOrders): Promise<void> {
  const begin = (): ReturnType<typeof startTwonode> => {
    const started = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
    started.stdout?.resume()
    started.stderr?.resume()
    return started
  }
  let child = begin()
  try {
    await until(
      `a runner on ${follower}`,
      async () => {
        if (child.exitCode !== null) child = begin()
        const { stdout } = await lab.exec(follower, ['pgrep', '-f', '/opt/twonode/bundle/'])
        const pids = stdout.split('\n').filter((line) => line !== '')
        if (pids.length === 0) return undefined
        const { code } = await lab.exec(follower, ['kill', '-9', ...pids])
        return code === 0 || undefined
      },
      { timeoutMs: ANSWER_TIMEOUT_MS },
    )
  } finally {
    killGroup(child)
  }
}
