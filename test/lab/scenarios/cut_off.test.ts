import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KubeApi, type KubeObject } from '../../../lab/kube_api.ts'
import type { Lab } from '../../../lab/lab.ts'
import { metaOf } from '../../../lab/pair_view.ts'
import type { HostName } from '../../../lab/names.ts'
import { lastAck } from '../../../lab/writer_log.ts'
import { adminCredentials, type Writer } from '../../../lab/writer_process.ts'
import { inHost, kubectl, mustConverge, psql, theLab } from '../pair.ts'
import { onTheHealedPair, startScenario, unitRuns } from '../scenario.ts'
import { leavesThePair } from '../standing_pair.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const HEALED_MS = 60_000

/** What is shown depends on what was written, and not on how long: an operator's minute is for a bench's time. */
const PARTITION_MS = Number(process.env['TWONODE_PARTITION_SECONDS'] ?? 0) * 1_000

leavesThePair(theLab)

test('11: the follower is cut off from everything: it never promotes; the leader goes on alone', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.writer('h1')
  await scenario.act('h2 is cut off', () => lab.cut('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.holds('h2 does not lead', () => metaOf(lab, 'h2')?.leader === 'h1', 8_000)
  await scenario.act('the cut heals', () => lab.heal())
  await scenario.paired('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

test('10: the leader is cut off from everything: it stops taking writes before the follower leads, and follows when the cut heals', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const inside = await scenario.writer('h1', 'h1')
  const survivor = await scenario.writer('h2', 'h2')
  const cutAt = await scenario.act('h1 is cut off', () => lab.cut('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.poll(
    'the survivor acknowledges writes',
    () => survivor.log().some(({ kind, at }) => kind === 'ack' && at > cutAt + 2_000),
    FAILOVER_MS,
  )
  // In mode paired nothing can be acknowledged without the follower at all.
  expect(lastAck(inside.log()), scenario.timeline()).toBeLessThan(cutAt + 1_000)
  expect(await unitRuns('h1', 'kine.service')).toBe(false)
  const addresses = await inHost('h1', ['ip', '-o', '-4', 'address', 'show', 'dev', 'eth0'])
  expect(addresses).not.toContain(`${lab.virtualIp}/`)
  await scenario.act('the cut heals', () => lab.heal())
  await scenario.paired('h2', HEALED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('9: the link between them is cut and both see the gateway: under availability both write, and when it heals the promoted one leads and the other keeps its own history', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const loser = await scenario.writer('h1')
  const winner = await scenario.writer('h2')
  const cutAt = await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const divergent = await loser.stop()
  await scenario.act('the link is there again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [winner])
  const [kept] = await scenario.keptTables('h1')
  expect(await notKept('h1', kept, loser), 'acknowledged, and nowhere').toEqual([])
  // What was acknowledged while they were a pair is on both.
  const before = divergent.findLast((record) => record.kind === 'ack' && record.at < cutAt)
  const both = await psql('h2', `select id from kine where name like '%/${loser.name}'`)
  expect(both.split('\n').map(Number)).toContain(before?.kind === 'ack' ? before.rv : undefined)
  scenario.forget(loser)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

// On the pair that the test before has left: h2 leads, and h1 was promoted a branch ago.
test('23: the follower is promoted by force while its leader lives behind a cut: both write until they hear each other, never after; the higher branch goes on, above all that either wrote, and the other keeps its own', async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  const before = await scenario.keptTables('h2')
  const loser = await scenario.writer('h2')
  const winner = await scenario.writer('h1')
  const branch = (metaOf(lab, 'h2')?.term ?? 0) + 1
  await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.act('an operator promotes h1', () =>
    inHost('h1', ['/usr/local/bin/twonode', 'promote', '--force', '--yes']),
  )
  await scenario.until({ leader: 'h1', mode: 'alone', branch }, ['h1'], FAILOVER_MS)
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const marker = Number(
    await psql('h1', `select id from kine where name = 'twonode/branch/${branch}'`),
  )
  await scenario.act('the link is there again', () => lab.heal())
  const agree = () => metaOf(lab, 'h2')?.leader === 'h1'
  await scenario.poll('h2 to hear of it', agree, HEALED_MS)
  await scenario.holds('h1 leads, and h2 does not', agree, 3_000)
  await scenario.paired('h1', HEALED_MS, [winner])
  await loser.stop()
  const kept = (await scenario.keptTables('h2')).find((name) => !before.includes(name))
  expect(await notKept('h2', kept, loser), 'acknowledged, and nowhere').toEqual([])
  expect(Number(await psql('h2', `select max(id) from ${kept}.kine`))).toBeLessThan(marker)
  scenario.forget(loser)
  await scenario.sameTables('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

/** What a writer was told by a host, and is neither in the table that it kept nor in that of now. */
async function notKept(
  host: HostName,
  kept: string | undefined,
  writer: Writer,
): Promise<number[]> {
  const rows = await psql(
    host,
    `select id from ${kept}.kine where name like '%/${writer.name}'
     union select id from kine where name like '%/${writer.name}'`,
  )
  const there = new Set(rows.split('\n').map(Number))
  return writer
    .log()
    .flatMap((record) => (record.kind === 'ack' && !there.has(record.rv) ? [record.rv] : []))
}

// On the pair that the test before has left: h1 leads.
test("15: an old leader that wrote on behind a cut follows, and nothing of it is lost unseen: salvage names its three objects, replay brings them back, and its 500 heartbeats are nobody's question", async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  await scenario.paired('h1', HEALED_MS, [])
  await kubectl('h1', ['create', 'deployment', 'web', '--image=none', '--replicas=2'])
  await kubectl('h1', ['create', 'configmap', 'settings', '--from-literal=colour=blue'])
  await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  // k3s may start anew on a host that followed, or begins to: it is asked until it answers.
  const writes = async (host: HostName, ...words: string[]) => {
    const argv = ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=10s', ...words]
    const taken = async () => (await lab.exec(host, argv)).code === 0
    await scenario.poll(`${host} takes: ${words.join(' ')}`, taken, HEALED_MS)
  }
  await scenario.act('both sides write', async () => {
    await writes('h1', 'scale', 'deployment', 'web', '--replicas=5')
    await writes('h1', 'create', 'secret', 'generic', 'door', '--from-literal=word=open-sesame')
    await writes('h1', 'patch', 'configmap', 'settings', '-p', '{"data":{"colour":"red"}}')
    await heartbeats(lab, 'h1', 500)
    await writes('h2', 'scale', 'deployment', 'web', '--replicas=3')
    await writes('h2', 'patch', 'configmap', 'settings', '-p', '{"data":{"shape":"round"}}')
  })
  await pause(PARTITION_MS)
  await scenario.act('the link is there again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [])

  const [saved] = lines(await twonode('salvage', 'list', '--json')).slice(-1)
  expect(saved).toMatchObject({ exact: true, settled: null, counts: { spec: { objects: 3 } } })
  const { counts, name } = saved as { name: string; counts: { lease: { changes: number } } }
  expect(counts.lease.changes).toBeGreaterThanOrEqual(500)
  const whenReady = async (argv: readonly string[]) => {
    let ended = await lab.exec('h1', argv)
    const answers = async () => {
      if (ended.stderr.includes('E_UNREACHABLE')) ended = await lab.exec('h1', argv)
      return !ended.stderr.includes('E_UNREACHABLE')
    }
    await scenario.poll("h1's API answers", answers, HEALED_MS)
    return ended
  }
  const told = (await whenReady(['/usr/local/bin/twonode', 'salvage', 'diff', name])).stdout.trim()
  const wanted = [
    'ConfigMap default/settings: data.colour is "blue" here, was "red" there',
    'Deployment default/web: spec.replicas is 3 here, was 5 there',
    'Secret default/door: is not here, was created there',
  ]
  expect(told.split('\n').filter((line) => !line.includes('made of'))).toEqual([
    ...wanted,
    expect.stringContaining('heartbeats and locks'),
  ])
  expect(told).not.toContain('sesame')

  // Somebody has scaled it here since: that is told, and nothing is done until it is meant.
  const replay = ['/usr/local/bin/twonode', 'salvage', 'replay', name, '--all', '--yes']
  const refused = await whenReady(replay)
  expect(refused.stderr).toMatch(/conflict.*spec.replicas/s)
  expect(await kubectl('h2', ['get', 'secret', 'door', '--ignore-not-found'])).toBe('')
  const replayed = await whenReady([...replay, '--force-conflicts'])
  expect(replayed.code, replayed.stderr).toBe(0)
  expect(await value('deployment web', '.spec.replicas')).toBe('5')
  expect(await value('configmap settings', '.data.colour} {.data.shape')).toBe('red round')
  expect(await value('secret door', '.data.word')).toBe(
    Buffer.from('open-sesame').toString('base64'),
  )
  expect(await twonode('salvage', 'list')).toMatch(/replayed .* by the operator/)
  const journal = async () => await twonode('timeline', '--own', '--lines', '500')
  expect(await journal()).toMatch(/salvage .* replayed: /)
  // The old table stays until the agents have compared the copy in its place with the leader's content.
  const table = `twonode_branch_${name}`
  expect(await scenario.keptTables('h1')).toContain(table)
  // Each table is compared by itself: the one of the scenario before may have been as well.
  const oid = await psql('h1', "select 'public.kine'::regclass::oid")
  const verified = async () => (await journal()).includes(` salvage table ${oid} verified: `)
  await scenario.poll('the copy is verified', verified, HEALED_MS)
  await mustConverge(scenario.from)
  expect(await scenario.keptTables('h1')).not.toContain(table)
  // Which k3s started anew is the other scenarios' to judge: h2 came back from a branch of its own.
  expect(await scenario.end('h2', [])).toEqual([])
})

const twonode = async (...words: string[]) =>
  await inHost('h1', ['/usr/local/bin/twonode', ...words])

const value = async (what: string, path: string) =>
  await kubectl('h2', ['get', ...what.split(' '), '-o', `jsonpath={${path}}`])

/** Each a change of a lease, as a node makes one every ten seconds. */
async function heartbeats(lab: Lab, host: HostName, count: number): Promise<void> {
  const api = new KubeApi({
    ...(await adminCredentials(lab, host)),
    address: lab.addresses.hosts[host],
    timeoutMs: 10_000,
  })
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'beat' } }
  let { body } = await api.send('POST', leases, lease)
  for (let beat = 0; beat < count; beat += 1) {
    const { metadata } = body as KubeObject
    const spec = { leaseTransitions: beat }
    const answer = await api.send('PUT', `${leases}/beat`, { ...lease, metadata, spec })
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    body = answer.body
  }
  api.close()
}

function lines(text: string): readonly unknown[] {
  return text.split('\n').map((line) => JSON.parse(line) as unknown)
}

test('12: a cut of one direction is a cut, and makes no more than one change of leader', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const winner = await scenario.writer('h2')
  await scenario.act('nothing that h1 sends reaches h2', () =>
    lab.cut('h1', { from: 'peer', oneWay: true }),
  )
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  const { term } = metaOf(lab, 'h2') ?? {}
  await scenario.holds('nothing changes any more', () => metaOf(lab, 'h2')?.term === term, 8_000)
  await scenario.act('the path is whole again', () => lab.heal())
  await scenario.paired('h2', HEALED_MS, [winner])
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})
