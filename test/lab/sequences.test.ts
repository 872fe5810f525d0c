import { beforeAll, describe, expect, test } from 'vitest'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import { describeRun, type LocalRun, registered } from './local_role.ts'
import { convergedPair, eventually, inHost, kubectl, psql } from './pair.ts'
import { expectInvariants, keptSchemas, PlayedPair, writesThrough } from './played_pair.ts'

let pair: PlayedPair

beforeAll(async () => {
  const { lab } = await convergedPair()
  pair = new PlayedPair(lab)
  await pair.begin()
})

const COMPARISON = "How this host's table compares with the leader's (A1)"

/** Its steps change nothing more. */
async function expectSettled(host: HostName): Promise<void> {
  const run = await pair.agents.converge(host, 'role')
  expect(changedIn(run), describeRun(run)).toEqual([])
}

const changedIn = (run: LocalRun) =>
  run.steps.filter(({ status }) => status === 'changed').map(({ task }) => task)

// Each goes on where the one before left the pair.
describe('the leader loses its power', () => {
  test('A6: the follower leads, serves and breaks no rule of the table', async () => {
    await writesThrough('h1', 'before')
    await pair.atRest('h1')
    await pair.powerOff('h1')
    await pair.goesOn('h2')
    const run = await pair.promote('h2', { warm: true })
    expect(registered(run, 'The branch has its marker')).toMatchObject({
      fork: { from: 1, slot: 'h2_1_1', lsn: expect.stringContaining('/') },
    })
    await expectInvariants('h2')
    await writesThrough('h2', 'after')
    await kubectl('h2', ['get', 'configmap', 'before'])
    await expectInvariants('h2')
    expect(await inHost('h2', ['ip', '-o', 'address', 'show', 'dev', 'eth0'])).toContain('10.77.')
    await expectSettled('h2')
  })

  test('C4: what the dead host held in Kubernetes is free, and its address no way to the API', async () => {
    const text = `select count(*) from (
      select distinct on (name) name, deleted from kine
      where name like '/registry/masterleases/%' order by name, id desc) latest
      where deleted = 0`
    expect(await psql('h2', text)).toBe('1')
    // The API server that is left looks every ten seconds whose lease is there.
    await eventually('the service of the API names one host', async () => {
      const path = 'jsonpath={.subsets[*].addresses[*].ip}'
      const found = await kubectl('h2', ['get', 'endpoints', 'kubernetes', '-o', path])
      return found.split(' ').length === 1 ? true : found
    })
  })

  test('A1: back again, and with nothing of its own, it follows without a copy', async () => {
    await pair.powerOn('h1')
    const run = await pair.adopt('h1')
    expect(registered(run, COMPARISON)).toMatchObject({ copy: false, why: 'same' })
    await pair.sameContent()
    expect(await keptSchemas('h1')).toBe('')
    expect(await psql('h1', 'select count(*) from pg_replication_slots')).toBe('0')
    await expectSettled('h1')
  })

  test('A3: the two are a pair again, and both serve', async () => {
    await pair.pair('h2')
    expect(await psql('h2', 'show synchronous_standby_names')).toBe('"h1"')
    await writesThrough('h1', 'paired-again')
    await pair.sameContent()
    for (const host of HOST_NAMES) await expectSettled(host)
  })
})

describe('the new leader loses its power too, with a write that only it has', () => {
  test('A1: the first one leads again; the second copies, and its old table is kept', async () => {
    // A kine that starts asks for a lock that waits for whoever waits for the follower, and the write
    // behind it would wait as well.
    await pair.atRest('h2')
    await aloneWrite('h2')
    await pair.powerOff('h2')
    await pair.goesOn('h1')
    await pair.promote('h1', { warm: true })
    await expectInvariants('h1')
    await writesThrough('h1', 'third-branch')
    await pair.powerOn('h2')
    const run = await pair.adopt('h2')
    expect(registered(run, COMPARISON)).toMatchObject({ copy: true, swap: true })
    expect(registered(run, COMPARISON)['why']).toMatch(/committed here beyond/)
    const kept = await keptSchemas('h2')
    expect(kept).toMatch(/^twonode_branch_3_\d+$/)
    expect(await psql('h2', `select count(*) from ${kept}.kine where name = '/only-h2'`)).toBe('1')
    await pair.pair('h1')
    await pair.sameContent()
    expect(await psql('h2', "select count(*) from kine where name = '/only-h2'")).toBe('0')
    await writesThrough('h2', 'whole-again')
    for (const host of HOST_NAMES) await expectSettled(host)
  })

  test('A, B, A, B: the second one takes over once more, and the first returns without a copy', async () => {
    await pair.atRest('h1')
    await pair.powerOff('h1')
    await pair.goesOn('h2')
    await pair.promote('h2', { warm: true })
    await writesThrough('h2', 'fourth-branch')
    await expectInvariants('h2')
    await pair.powerOn('h1')
    const run = await pair.adopt('h1')
    expect(registered(run, COMPARISON)).toMatchObject({ why: 'same' })
    await pair.pair('h2')
    await pair.sameContent()
    await writesThrough('h1', 'the-end')
  })
})

/** A commit that waits for a follower that no longer hears of it: on the disk, acknowledged by nobody. */
async function aloneWrite(leader: HostName): Promise<void> {
  const follower = leader === 'h1' ? 'h2' : 'h1'
  await psql(follower, 'alter subscription twonode disable')
  await eventually('the follower hears nothing', async () => {
    const workers = await psql(
      follower,
      'select count(*) from pg_stat_subscription where pid is not null',
    )
    return workers === '0' ? true : workers
  })
  await psql(
    leader,
    `set synchronous_commit = local; insert into kine (name, created, deleted, create_revision,
      prev_revision, lease, value) values ('/only-${leader}', 1, 0, 0, 0, 0, 'x')`,
  )
}
