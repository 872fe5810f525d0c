import { expect, test } from 'vitest'
import type { HostName } from '../../../lab/names.ts'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import { longestGap } from '../../../lab/writer_log.ts'
import { eventually, inHost, psql, theLab } from '../pair.ts'
import { onTheHealedPair, startScenario } from '../scenario.ts'
import { leavesThePair } from '../standing_pair.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const RETURN_MS = 60_000

/** Longest time without an acknowledgement: k3s gives up at 10 s, kine's compaction at 5 s (C3). @unit milliseconds */
const STALL_MS = 5_000

leavesThePair(theLab)

test('7, 8: the follower dies: the leader goes on alone after a stall that no k3s notices; the follower returns, catches up, and they are a pair again', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  const offAt = await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], ALONE_MS)
  await scenario.writing(ALONE_MS)
  expect(longestGap(writer.log(), offAt)?.ms, scenario.timeline()).toBeLessThan(STALL_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(await scenario.keptTables('h2'), 'no copy was made').toEqual([])
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

test('7, C3, A3: the follower dies in the middle of a compaction, which goes on; back again, it makes no pair while the checkpointer is busy', async () => {
  await kineCompacts('every 2 s')
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  const kine = await mainPid('kine.service')
  const last = Number(await psql('h1', MANY_REVISIONS))
  await scenario.poll(
    'kine to compact them',
    async () => (await compactRevision()) > last - REVISIONS,
    ALONE_MS,
  )
  const hungAt = await scenario.act("h2's apply worker hangs", () =>
    signal('h2', 'logical replication worker', 'STOP'),
  )
  await eventually("the compaction's commit waits", async () => {
    const seen = await psql('h1', "select query from pg_stat_activity where wait_event = 'SyncRep'")
    return seen.split('\n').includes('commit') ? true : seen
  })
  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], ALONE_MS)
  await scenario.writing(ALONE_MS)
  expect(longestGap(writer.log(), hungAt)?.ms, scenario.timeline()).toBeLessThan(STALL_MS)
  await scenario.poll(
    'all of it',
    async () => (await compactRevision()) >= last - RETAINED,
    ALONE_MS,
  )
  expect(await mainPid('kine.service'), 'kine ends itself over a commit of 5 s').toBe(kine)
  expect(await psql('h1', WAL_IS_BOUNDED)).toBe('t')

  await signal('h1', 'checkpointer', 'STOP')
  const onAt = await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  const tries = () => decisions(lab, onAt).filter(({ record }) => record['goal'] === 'pair')
  await scenario.poll('h1 to begin to pair', () => tries().length > 0, RETURN_MS)
  await scenario.holds('h1 is alone', () => metaOf(lab, 'h1')?.mode === 'alone', BUSY_MS)
  await scenario.writing(ALONE_MS)
  await signal('h1', 'checkpointer', 'CONT')
  await scenario.paired('h1', RETURN_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
  await kineCompacts('as ever')
})

/** Of one key; a compaction leaves the last. */
const REVISIONS = 20_000

/** The newest, which kine never compacts. */
const RETAINED = 1_000

/** One transaction, as the table's only writer: gives the last revision. */
const MANY_REVISIONS = `
begin;
lock table kine in exclusive mode;
with before as materialized (select last_value as id from kine_id_seq)
insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
  select '/twonode/compacted', (n = 1)::int, 0, id + 1, case n when 1 then 0 else id + n - 1 end, 0, 'x'
  from before, generate_series(1, ${REVISIONS}) n order by n;
commit;
select max(id) from kine where name = '/twonode/compacted'`

/** What is on the disk beyond max_wal_size is kept for a follower that is away, in segments (C3). */
const WAL_IS_BOUNDED = `
select current_setting('max_wal_size') = '1GB' and sum(size) <= 1024^3 from pg_ls_waldir()`

/** A leader whose pairing waits for the checkpointer must be seen to wait. @unit milliseconds */
const BUSY_MS = 4_000

async function compactRevision(): Promise<number> {
  return Number(await psql('h1', "select prev_revision from kine where name = 'compact_rev_key'"))
}

/** kine compacts when the API server asks it to, every five minutes; or by itself. */
async function kineCompacts(how: 'every 2 s' | 'as ever'): Promise<void> {
  const directory = '/etc/systemd/system/kine.service.d'
  const file = `${directory}/compacts.conf`
  if (how === 'as ever') await inHost('h1', ['rm', file])
  else {
    await inHost('h1', ['mkdir', '-p', directory])
    const text = '[Service]\nEnvironment=KINE_COMPACT_INTERVAL=2s\n'
    await (await theLab()).exec('h1', ['dd', `of=${file}`, 'status=none'], { stdin: text })
  }
  await inHost('h1', ['systemctl', 'daemon-reload'])
  await inHost('h1', ['systemctl', 'restart', 'kine.service'])
}

const mainPid = async (unit: string) =>
  await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', unit])

/** To a process of PostgreSQL's own. */
async function signal(host: HostName, backend: string, name: 'STOP' | 'CONT'): Promise<void> {
  const pid = await psql(host, `select pid from pg_stat_activity where backend_type = '${backend}'`)
  await inHost(host, ['kill', `-${name}`, pid])
}
