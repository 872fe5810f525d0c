import { expect, test } from 'vitest'
import { KubeApi } from '../../../lab/kube_api.ts'
import { decisions } from '../../../lab/pair_view.ts'
import { failoverTimes } from '../../../lab/failover_times.ts'
import { peerOf, type HostName } from '../../../lab/names.ts'
import { converge, explain } from '../../../lab/twonode_process.ts'
import { adminCredentials } from '../../../lab/writer_process.ts'
import { inHost, psql, stepNames } from '../pair.ts'
import { onTheHealedPair, type Scenario, startScenario, unitRuns } from '../scenario.ts'

/** Detection, promotion and a busy machine. @unit milliseconds */
const FAILOVER_MS = 15_000

/** Boot, return without a copy, pairing. @unit milliseconds */
const RETURN_MS = 60_000

test('1, 37, 39, 42: the leader loses its power: the follower serves within seconds, and clients with a revision that only the dead one gave out are told to list anew; it returns, and a converge finds nothing to do', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h2')

  const offAt = await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const times = failoverTimes({
    offAt,
    survivor: 'h2',
    decisions: decisions(lab, offAt),
    log: writer.log(),
  })
  expect(times.gap, scenario.timeline()).toBeLessThan(10_000)
  const before = writer.log().findLast((record) => record.kind === 'ack' && record.at < offAt)
  const future = (before?.kind === 'ack' ? before.rv : 0) + 1_000
  await scenario.poll(
    'a client with such a revision to be told that it is gone',
    async () => /"code":410/.test(await firstEvent(scenario, future)),
    FAILOVER_MS,
  )

  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS)
  await scenario.sameTables('h2', RETURN_MS)

  // The agent waits for no k3s, and one that still starts is no difference of the converge's.
  await scenario.poll("h1's k3s runs", () => unitRuns('h1', 'k3s.service'), RETURN_MS)
  const again = await converge(scenario.from)
  // What is judged in the end: its watch was ended in between, and went on from what it was told last.
  await scenario.poll(
    'a bookmark of the new branch',
    () => writer.log().some(({ kind, at }) => kind === 'bookmark' && at > offAt),
    RETURN_MS,
  )
  expect(again.code, explain(again)).toBe(0)
  expect(stepNames(again, 'changed')).toEqual([])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

/** What a watch at h2 from a revision is told first: a client that is told nothing is blind. */
async function firstEvent({ lab }: Scenario, from: number): Promise<string> {
  const address = lab.hosts.h2.address
  const api = new KubeApi({ ...(await adminCredentials(lab, 'h2')), address, timeoutMs: 5_000 })
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${from}`
  let said = ''
  // It ends with what it is told, or when nothing comes.
  await api
    .watch(path, (event) => (said ||= JSON.stringify(event)), 2_000)
    .catch(() => undefined)
    .finally(() => api.close())
  return said
}

// On the pair that the test before has left: h2 leads.
test('16: an old leader on which nothing waited when it died returns without a copy', async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  await writer.stop()
  // A commit that waits for its follower is on the dead host alone, and makes a copy of its return.
  await scenario.act('nothing writes any more', () => nothingWrites(scenario, 'h2'))
  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS, [])
  expect(await scenario.keptTables('h2')).toEqual([])
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

// On the pair that the test before has left: h1 leads.
test('A1: a commit that was on its way when the power failed, of a lower id than one that was acknowledged, is found on the return: a copy, and the difference is kept', async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  const before = await scenario.keptTables('h1')
  await scenario.act('nothing writes any more', () => nothingWrites(scenario, 'h1'))
  const late = lab.exec('h1', ['runuser', '-u', 'postgres', '--', 'bash', '-c', LATE_COMMIT])
  await scenario.poll(
    'the late transaction to have its id',
    async () =>
      (await psql('h1', 'select last_value > (select max(id) from kine) from kine_id_seq')) === 't',
    5_000,
  )
  // Acknowledged: its follower has it.
  const higher = Number(
    await psql('h1', `${INSERT} values ('/higher', 1, 0, 0, 0, 0, '') returning id`),
  )
  await scenario.act('h1 is cut off, the late commit comes, and the power fails', async () => {
    await lab.cut('h1')
    await inHost('h1', ['touch', '/tmp/commit'])
    await late
    await lab.powerOff('h1')
    await lab.heal()
  })
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  const text =
    "select string_agg(name || ' ' || id, ',' order by id) from %.kine where name in ('/late', '/higher')"
  expect(await psql('h2', text.replace('%', 'public'))).toBe(`/higher ${higher}`)
  const writer = await scenario.writer('h2')
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', RETURN_MS, [writer])
  const kept = (await scenario.keptTables('h1')).filter((name) => !before.includes(name))
  expect(kept).toHaveLength(1)
  expect(await psql('h1', text.replace('%', kept[0] ?? ''))).toBe(
    `/late ${higher - 1},/higher ${higher}`,
  )
  expect(await psql('h1', text.replace('%', 'public'))).toBe(`/higher ${higher}`)
  // Exactly that one transaction was saved, beside the table.
  const list = await inHost('h1', ['/usr/local/bin/twonode', 'salvage', 'list', '--json'])
  expect(JSON.parse(list.split('\n').at(-1) ?? '')).toMatchObject({
    exact: true,
    counts: { spec: { objects: 1, changes: 1 } },
  })
  await scenario.sameTables('h2', RETURN_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

const INSERT =
  'insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)'

/** Takes its id at once, and commits when it is told to: on the disk, and acknowledged by nobody. */
const LATE_COMMIT = `psql -qtAX -v ON_ERROR_STOP=1 kine <<'end'
set synchronous_commit = local;
begin;
${INSERT} values ('/late', 1, 0, 0, 0, 0, '');
\\! for i in $(seq 600); do [ -e /tmp/commit ] && break; sleep 0.05; done
commit;
end`

/** Both kines stand still, and the follower of this leader has all that was written. */
async function nothingWrites(scenario: Scenario, leader: HostName): Promise<void> {
  for (const host of ['h1', 'h2'] satisfies HostName[])
    scenario.lab.signalUnit(host, 'kine.service', { signal: 'SIGSTOP' })
  const text = `select count(*) = 1 and bool_and(replay_lsn >= pg_current_wal_lsn())
    from pg_stat_replication`
  const has = async () => (await psql(leader, text)) === 't'
  await scenario.poll('nothing to wait for a follower', has, 5_000)
}

test('26: A, B, A, B: each leader that dies is replaced by the other, which was following again', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  for (const victim of ['h1', 'h2', 'h1', 'h2'] satisfies HostName[]) {
    const survivor = peerOf(victim)
    await scenario.act(`${victim} loses its power`, () => lab.powerOff(victim))
    await scenario.until({ leader: survivor, mode: 'alone' }, [survivor], FAILOVER_MS)
    const writer = await scenario.writer(survivor)
    await scenario.act(`${victim} has power again`, () => lab.powerOn(victim))
    await scenario.paired(survivor, RETURN_MS)
    // The next one to die is the host through which it writes.
    await writer.stop()
  }
  expect(await scenario.end('h1', [])).toEqual([])
})
