import { afterEach, beforeEach, expect, test } from 'vitest'
import { answers, following, leading } from '../support/agent_sightings.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { ControlBench, META, withRounds } from './support/control_agent.ts'

let bench: ControlBench
beforeEach(() => {
  bench = new ControlBench()
})
afterEach(async () => await bench.close())

const DIGEST = { kind: 'done', changed: 0, registered: { digest: { digest: 'abc' } } } as const

/** A leader whose follower has everything, and agrees to whatever it is asked. */
async function leader() {
  const host = await bench.agentOf('h1')
  host.converges = { role: () => DONE, handover: () => DONE, digest: () => DIGEST }
  host.handOvers = (request) =>
    request.phase === 'digest' ? { ok: true, digest: 'abc' } : { ok: true }
  return host
}

test('--check says what would be done, and does nothing', async () => {
  const host = await leader()
  const said = await bench.twonode('switchover', '--check', '--to', 'h2')
  expect(said).toMatch(/^h1 leads and h2 follows, a pair in term 2\n/)
  await host.rounds(2)
  expect(host.disk.meta?.leader).toBe('h1')
})

test('to the host that leads already there is nothing to do; to one of no name it is refused', async () => {
  await leader()
  const said = await bench.twonode('switchover', '--to', 'h1')
  expect(said).toBe('h1 leads already: nothing is to be done\n')
  await expect(bench.twonode('switchover', '--to', 'h3')).rejects.toMatchObject({
    message: '--to: there is no host h3 in this pair',
    hint: 'The pair is h1 and h2.',
  })
})

test('a paused follower is refused with the way out, and taken when it is meant all the same', async () => {
  const host = await leader()
  await host.rounds(2, answers({ meta: META, proofTerm: 2, paused: true }))
  for (const more of [[], ['--check']])
    await expect(withRounds(host, bench.twonode('switchover', ...more))).rejects.toMatchObject({
      message: 'nothing is done: h2 is paused by an operator',
    })
  const meant = bench.twonode('switchover', '--though-paused', '--no-wait')
  expect(await withRounds(host, meant)).toMatch(/\nbegun: an operator asked for it \(A7\)/)
  await host.core.idle()
  expect(host.disk.meta?.leader).toBe('h2')
})

test('a follower that is behind is refused before anything is stopped', async () => {
  const host = await leader()
  await host.rounds(8, leading({ writtenBytes: 9_000_000 }))
  await expect(withRounds(host, bench.twonode('switchover'))).rejects.toThrow(/h2 is behind h1/)
  expect(host.log.filter((line) => line.includes('handover'))).toEqual([])
})

test("it is followed to its end: the agents' steps, and the proof", async () => {
  const host = await leader()
  const asked = bench.twonode('switchover')
  const followed = withRounds(host, asked)
  await expect.poll(() => host.disk.meta?.leader, { timeout: 10_000 }).toBe('h2')
  const fork = { from: 1, slot: 'h2_1_1', lsn: '0/1', count: 9, sum: '45', max: 9 }
  const meta = pairMeta({
    ...host.disk.meta,
    term: 4,
    branch: 3,
    leader: 'h2',
    mode: 'paired',
    began: 'handover',
    slot: 'h1_3_1',
    fork: { ...fork, compactRevision: 0 },
  })
  host.sighting = {
    ...host.sighting,
    ...answers({ meta, proofTerm: null }),
    ...following('h1_3_1'),
  }
  const said = await followed
  expect(said).toMatch(/hostMeta: h2 leads, term 3, branch 3, alone/)
  expect(said).toMatch(/h2 leads in term 4, branch 3; h1 follows, and could take over\n/)
  expect(said).toMatch(/revision 9 before, 10 after/)
})

test('25: a follower that fails half-way leaves the old leader to lead on, and that is said', async () => {
  const host = await leader()
  host.handOvers = ({ phase }) =>
    phase === 'digest' ? { ok: false, why: 'its PostgreSQL is gone' } : { ok: true }
  await expect(withRounds(host, bench.twonode('switchover'))).rejects.toThrow(
    'h1 leads on: the peer has no digest: its PostgreSQL is gone',
  )
  expect(host.disk.meta).toEqual(META)
})
