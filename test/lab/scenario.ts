import { setTimeout as pause } from 'node:timers/promises'
import { onTestFailed, onTestFinished } from 'vitest'
import type { Credentials } from '../../lab/kube_api.ts'
import type { Lab } from '../../lab/lab.ts'
import type { HostName } from '../../lab/names.ts'
import {
  agentStatus,
  arePaired,
  decisions,
  fatalWords,
  lastWords,
  metaOf,
  partsOf,
  restarted,
  type Parts,
} from '../../lab/pair_view.ts'
import { decisionMoment, timelineText, writerMoments, type Moment } from '../../lab/timeline.ts'
import type { Laptop } from '../../lab/twonode_process.ts'
import { watchProblems } from '../../lab/watch_log.ts'
import { adminCredentials, startWriter, verdict, type Writer } from '../../lab/writer_process.ts'
import type { WriterRecord } from '../../lab/writer_log.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { convergedPair, healthy, laptop, psql, theLab } from './pair.ts'

const HOSTS = ['h1', 'h2'] as const

/**
 * Orders, states and loss are judged, not milliseconds. Written as often as the bench does it, a pair and
 * its writer take half of a core, of two that two labs share. @unit milliseconds
 */
const WRITE_EVERY_MS = 50

/** Clients' watches live for minutes; a bookmark comes once in each, so that short ones show it. */
const WATCH_SECONDS = 10

/** Each writer has an object of its own, also where scenarios share a pair. */
let writersMade = 0

/** What a host's hostMeta must say; what is left out may be anything. */
export type Wanted = Partial<Pick<HostMeta, 'leader' | 'mode' | 'term' | 'branch'>>

/**
 * A trial of a pair with its agents, from the same snapshot each time: writers write, things break, the
 * pair must come to a state in time, and in the end nothing acknowledged may be missing. When it fails
 * it tells what happened, in order, on both hosts.
 */
export class Scenario {
  readonly lab: Lab
  readonly from: Laptop
  readonly #credentials: Credentials
  readonly #began = Date.now()
  readonly #moments: Moment[] = []
  readonly #writers: Writer[] = []
  readonly #parts = new Map<HostName, Parts>()

  constructor(lab: Lab, from: Laptop, credentials: Credentials) {
    this.lab = lab
    this.from = from
    this.#credentials = credentials
    for (const host of HOSTS) this.#parts.set(host, partsOf(lab, host))
  }

  /** Starts a writer to a host's API server; it ends with the scenario. */
  async writer(to: HostName | 'virtualIp', from?: HostName): Promise<Writer> {
    writersMade += 1
    const name = `writer-${writersMade}`
    const where = from === undefined ? {} : { from }
    const writer = await startWriter(this.lab, {
      name,
      to,
      everyMs: WRITE_EVERY_MS,
      watchSeconds: WATCH_SECONDS,
      credentials: this.#credentials,
      ...where,
    })
    this.#writers.push(writer)
    return writer
  }

  /** Does something to the pair; gives the moment at which that was done. */
  async act(what: string, work: () => Promise<unknown>): Promise<number> {
    this.#say(`${what} ...`)
    await work()
    this.#say(what)
    return Date.now()
  }

  /** Waits until the hostMeta of these hosts say this. */
  async until(wanted: Wanted, hosts: readonly HostName[], withinMs: number): Promise<void> {
    await this.poll(
      `${hosts.join(' and ')} to have ${JSON.stringify(wanted)}`,
      () => hosts.every((host) => says(metaOf(this.lab, host), wanted)),
      withinMs,
    )
    this.#say(`${hosts.join(' and ')} have ${JSON.stringify(wanted)}`)
  }

  /** Waits until the two are a pair, the follower with its proof, and the writers' writes are acknowledged. */
  async paired(leader: HostName, withinMs: number, writers?: readonly Writer[]): Promise<void> {
    await this.until({ leader, mode: 'paired' }, HOSTS, withinMs)
    await this.poll("the follower's proof", () => arePaired(this.lab), withinMs)
    await this.writing(withinMs, writers)
  }

  /** Waits until every writer that writes has a write acknowledged that it made from now on. */
  async writing(withinMs: number, writers: readonly Writer[] = this.#writers): Promise<void> {
    for (const writer of writers) {
      if (writer.stopped) continue
      const now = Date.now()
      await this.poll(
        `an acknowledged write of ${writer.name}`,
        () => writer.log().some(({ kind, at }) => kind === 'ack' && at > now),
        withinMs,
      )
    }
  }

  /** For so long it must stay true; a time that is the scenario's own, not a wait for a state. */
  async holds(what: string, check: () => boolean, forMs: number): Promise<void> {
    const deadline = Date.now() + forMs
    while (Date.now() < deadline) {
      if (!check()) throw new Error(`not any more: ${what}`)
      await pause(50)
    }
    this.#say(`for ${forMs} ms: ${what}`)
  }

  async poll(
    what: string,
    check: () => boolean | Promise<boolean>,
    withinMs: number,
  ): Promise<void> {
    const deadline = Date.now() + withinMs
    while (!(await check())) {
      if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s`)
      await pause(25)
    }
  }

  /**
   * Ends the writers, and gives what must not be after any scenario, one line each: acknowledged writes
   * that were lost, revisions that went back, events that a watch lost or repeated, a table out of order, parts of Kubernetes that were
   * restarted on these hosts.
   * @param at - the host by whose API server and table the writes are judged: the leader.
   */
  async end(at: HostName, undisturbed: readonly HostName[]): Promise<string[]> {
    const problems: string[] = []
    for (const writer of this.#writers) {
      const { name } = writer
      const log = await writer.stop()
      const of = { name, log, credentials: this.#credentials }
      const { lost, twoWinners, regressions } = await verdict(this.lab, of, at)
      if (lost.length > 0) problems.push(`${name}: acknowledged and lost: ${lost.join(', ')}`)
      if (twoWinners.length > 0) problems.push(`${name}: two winners upon ${twoWinners.join(', ')}`)
      if (regressions > 0) problems.push(`${name}: ${regressions} revisions went back`)
      problems.push(...watchProblems(log).map((problem) => `${name}: ${problem}`))
      const missing = await missingRows(at, name, log)
      if (missing.length > 0) problems.push(`${name}: no rows ${missing.join(', ')} on ${at}`)
    }
    problems.push(...(await tableProblems(at)))
    for (const host of undisturbed) {
      const gone = restarted(this.#parts.get(host) ?? {}, partsOf(this.lab, host))
      problems.push(...gone.map((part) => `${host}: ${part} was restarted`))
      if (gone.length > 0) problems.push(...(await fatalWords(this.lab, host, this.#began)))
    }
    return problems
  }

  /** Leaves a writer out of the final judgement: what it was told is not what is kept, by policy. */
  forget(writer: Writer): void {
    this.#writers.splice(this.#writers.indexOf(writer), 1)
  }

  /** Tables of a host that a copy left behind: its own history, kept in a schema of its own (A2). */
  async keptTables(host: HostName): Promise<string[]> {
    const found = await psql(
      host,
      "select schemaname from pg_tables where tablename = 'kine' and schemaname <> 'public' order by 1",
    )
    return found.split('\n').filter((line) => line !== '')
  }

  /** The follower has the very rows that the leader shows, up to a row of now. */
  async sameTables(leader: HostName, withinMs: number): Promise<void> {
    await this.poll(
      'the same rows on both hosts',
      async () => {
        const last = await psql(leader, 'select max(id) from kine')
        const text = `select count(*), sum(hashtextextended(k::text, 0)) from kine k where id <= ${last}`
        const [one, other] = await Promise.all(HOSTS.map((host) => psql(host, text)))
        return one === other
      },
      withinMs,
    )
  }

  /** Everything that happened until now. */
  timeline(): string {
    const all = [
      ...this.#moments,
      ...decisions(this.lab, this.#began).map(decisionMoment),
      ...this.#writers.flatMap((writer) => writerMoments(writer.name, writer.log())),
    ]
    return timelineText(all)
  }

  /** Ends what still runs, whatever became of the test. */
  async close(): Promise<void> {
    for (const writer of this.#writers) await writer.stop()
    await this.lab.heal()
  }

  #say(what: string): void {
    this.#moments.push({ at: Date.now(), who: 'test', what })
  }
}

/** A healthy pair whose agents run, as it was snapshotted. Belongs to the test that calls it. */
export async function startScenario(options: { smallDisks?: boolean } = {}): Promise<Scenario> {
  await convergedPair(options)
  return await onThePair()
}

/** The pair as the test before left it: for scenarios that change nothing in the end. */
export async function onThePair(): Promise<Scenario> {
  const [lab, from] = [await theLab(), await laptop('first')]
  const scenario = new Scenario(lab, from, await adminCredentials(lab, 'h1'))
  onTestFailed(async () => {
    const said = HOSTS.map(async (host) => [
      `${host}: ${JSON.stringify(await agentStatus(lab, host))}`,
      ...(await lastWords(lab, host)),
    ])
    const lines = (await Promise.all(said)).flat()
    process.stderr.write(`\n${scenario.timeline()}\n${lines.join('\n')}\n`)
  })
  onTestFinished(() => scenario.close())
  return scenario
}

/** The pair as the test before left it, with what it had to start anew running again. */
export async function onTheHealedPair(): Promise<Scenario> {
  await healthy(await laptop('first'))
  return await onThePair()
}

/** True while systemd on the host calls the unit active. */
export async function unitRuns(host: HostName, unit: string): Promise<boolean> {
  const { stdout } = await (await theLab()).exec(host, ['systemctl', 'is-active', unit])
  return stdout.trim() === 'active'
}

function says(meta: HostMeta | undefined, wanted: Wanted): boolean {
  if (meta === undefined) return false
  return Object.entries(wanted).every(([key, value]) => meta[key as keyof Wanted] === value)
}

/** Revisions that were acknowledged, are newer than the last compaction, and have no row. */
async function missingRows(
  host: HostName,
  name: string,
  log: readonly WriterRecord[],
): Promise<number[]> {
  const compacted = Number(
    await psql(
      host,
      "select coalesce(max(prev_revision), 0) from kine where name = 'compact_rev_key'",
    ),
  )
  const key = `/registry/configmaps/default/${name}`
  const rows = await psql(host, `select id from kine where name = '${key}'`)
  const there = new Set(rows.split('\n').map(Number))
  return log
    .flatMap((record) => (record.kind === 'ack' ? [record.rv] : []))
    .filter((rv) => rv > compacted && !there.has(rv))
}

/** What must hold of kine's table after every promotion; one line for each that does not. */
async function tableProblems(host: HostName): Promise<string[]> {
  const found = await psql(
    host,
    `select 'the sequence is behind max(id)' from kine_id_seq where last_value < (select max(id) from kine)
     union all select 'id ' || id || ' replaces ' || prev_revision from kine
       where prev_revision >= id and name <> 'compact_rev_key'
     union all select name || ': ' || id || ' replaces ' || prev_revision || ', and not ' || before
       from (select *, lag(id) over (partition by name order by id) as before from kine) as chain
       where created = 0 and prev_revision <> before and name <> 'compact_rev_key'
     union all select name || ' has two rows upon ' || prev_revision from kine
       group by name, prev_revision having count(*) > 1`,
  )
  return found.split('\n').filter((line) => line !== '')
}
