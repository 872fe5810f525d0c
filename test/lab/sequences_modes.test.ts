import { beforeAll, describe, expect, test } from 'vitest'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import { registered } from './local_role.ts'
import { convergedPair, eventually, inHost, psql } from './pair.ts'
import { expectInvariants, PlayedPair, writesThrough } from './played_pair.ts'

let lab: Lab
let pair: PlayedPair

beforeAll(async () => {
  ;({ lab } = await convergedPair())
  pair = new PlayedPair(lab)
  await pair.begin()
})

const POSTGRES = 'postgresql@15-main.service'
const CONTENT = "A number for the table's content"

const isActive = async (host: HostName, unit: string) =>
  (await lab.exec(host, ['systemctl', 'is-active', '--quiet', unit])).code === 0

const holdsAddress = async (host: HostName) =>
  (await inHost(host, ['ip', '-o', 'address', 'show', 'to', lab.virtualIp])) !== ''

const TLS = '/etc/twonode/tls'
const AS_KINE = `host=127.0.0.1 dbname=kine user=kine sslmode=verify-full sslrootcert=/etc/twonode/pki/ca.crt
  sslcert=${TLS}/kine.crt sslkey=${TLS}/kine.key`

/** A write as kine makes one, which may wait for a follower; true if its client heard of a success. */
function writesAsKine(host: HostName, name: string): Promise<boolean> {
  const insert = `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
    values ('${name}', 1, 0, 0, 0, 0, 'x')`
  const command = ['runuser', '-u', 'kine', '--', 'psql', '-qX', AS_KINE, '-c', insert]
  return lab.exec(host, command, { timeoutMs: 60_000 }).then(({ code }) => code === 0)
}

const waits = async (host: HostName, count: number) =>
  await eventually(`${count} commits wait`, async () => {
    const text = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
    const seen = await psql(host, text, 'postgres')
    return Number(seen) >= count ? true : seen
  })

// Each goes on where the one before left the pair.
describe('a follower whose PostgreSQL is gone', () => {
  test('B2, C2: its leader goes alone in time, and who waited hears of a success (A9)', async () => {
    await inHost('h2', ['systemctl', 'stop', POSTGRES])
    const waiting = writesAsKine('h1', '/waits')
    await waits('h1', 1)
    const { ms } = await pair.alone('h1')
    expect(await waiting).toBe(true)
    expect(ms).toBeLessThan(3_000)
    expect(await psql('h1', 'show synchronous_standby_names')).toBe('')
    await writesThrough('h1', 'alone')
  })

  test('A3: it comes back by its slot, and they are a pair again', async () => {
    await inHost('h2', ['systemctl', 'start', POSTGRES])
    await pair.agents.write('h2', {}, 'h1')
    await eventually('it streams', async () => {
      const text = "select count(*) from pg_stat_replication where state = 'streaming'"
      return (await psql('h1', text)) === '1' ? true : 'not yet'
    })
    await pair.pair('h1')
    await pair.sameContent()
    expect(await psql('h1', 'show synchronous_standby_names')).toBe('"h2"')
  })
})

/** Faster than its subscriber comes back. */
const DROP_BY_HAND = `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots;
  select pg_drop_replication_slot('h2_1_1')`

describe('a slot that is dropped by hand', () => {
  test('B3: the pair does not make it anew: it goes alone, and the follower copies by another', async () => {
    await eventually('the slot can be dropped', async () => {
      await psql('h1', DROP_BY_HAND)
      return true
    })
    const refused = await pair.agents.try('h1', 'role')
    expect(refused.exitCode).not.toBe(0)
    await pair.alone('h1')
    await pair.agents.converge('h1', 'role')
    expect(await psql('h1', 'select count(*) from pg_replication_slots')).toBe('0')
    const { term } = await pair.agents.meta('h1')
    await pair.agents.write('h1', { term: term + 1, slot: 'h2_1_2' })
    await pair.agents.converge('h1', 'role')
    await writesThrough('h1', 'new-slot')
    await pair.adopt('h2')
    await pair.pair('h1')
    await pair.sameContent()
  })
})

describe('a leader that is cut off', () => {
  test('B1: stands still in time, though commits wait for the follower, and keeps its data', async () => {
    await inHost('h2', ['systemctl', 'stop', POSTGRES])
    const waiting = writesAsKine('h1', '/in-doubt')
    await waits('h1', 1)
    const kine = await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', 'kine.service'])
    const { ms } = await pair.agents.converge('h1', 'impair', { warm: true })
    expect(ms).toBeLessThan(3_000)
    expect(kine).not.toBe('0')
    expect(await isActive('h1', 'kine.service')).toBe(false)
    expect(await holdsAddress('h1')).toBe(false)
    expect(await writesAsKine('h1', '/fenced')).toBe(false)
    // Its transaction is kept, its client was not told so.
    await waiting
  })

  test('recovers when the cut heals', async () => {
    await inHost('h2', ['systemctl', 'start', POSTGRES])
    await pair.agents.converge('h1', 'role')
    expect(await holdsAddress('h1')).toBe(true)
    await writesThrough('h1', 'recovered')
    await pair.sameContent()
  })
})

describe('a hand-over', () => {
  test('A7: roles change without a copy and without a jump, and nothing is lost', async () => {
    await writesThrough('h1', 'before-the-hand-over')
    await pair.agents.converge('h2', 'handover')
    await pair.agents.converge('h1', 'handover', { warm: true })
    expect(await isActive('h1', 'kine.service')).toBe(false)
    // The follower's runs on, for its API server's sake, and can write nothing.
    expect(await isActive('h2', 'kine.service')).toBe(true)
    expect(await writesAsKine('h1', '/fenced-by-the-hand-over')).toBe(false)
    const [one, two] = await Promise.all(
      HOST_NAMES.map(async (host) =>
        registered(await pair.agents.converge(host, 'digest'), CONTENT),
      ),
    )
    expect(one).toMatchObject({ digest: two?.['digest'] })
    const { branch } = await pair.begins('h2', 'handover', 'h1')
    await pair.agents.write('h2', {}, 'h1')
    const run = await pair.agents.converge('h2', 'role', { warm: true })
    await pair.knowsFork('h2', run)
    expect(registered(run, 'The branch has its marker')['marker_id']).toBe(Number(one?.['max']) + 1)
    const back = await pair.adopt('h1')
    expect(registered(back, "How this host's table compares with the leader's (A1)")).toMatchObject(
      {
        why: 'same',
      },
    )
    await pair.pair('h2')
    await writesThrough('h1', 'after-the-hand-over')
    await expectInvariants('h2')
    await pair.sameContent()
    expect(
      await psql('h1', `select count(*) from kine where name = 'twonode/branch/${branch}'`),
    ).toBe('1')
    expect([await holdsAddress('h1'), await holdsAddress('h2')]).toEqual([false, true])
  })

  test('given up, both go on as what they are', async () => {
    await pair.agents.converge('h1', 'handover')
    await pair.agents.converge('h2', 'handover')
    for (const host of ['h2', 'h1'] as const) await pair.agents.converge(host, 'role')
    await writesThrough('h2', 'given-up')
    await pair.sameContent()
    expect(await holdsAddress('h2')).toBe(true)
  })
})
