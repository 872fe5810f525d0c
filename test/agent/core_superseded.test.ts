import { expect, test } from 'vitest'
import { answers, GATEWAY_UP, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE, FAILED } from '../support/scripted_agent.ts'
import { leader } from '../support/settled_agents.ts'

const NOBODY_READS = leading({ slot: 'idle', streaming: false, flushedBytes: null })
const FULL = { disk: { writable: false, freeBytes: 0 } }
const FREE = { disk: { writable: true, freeBytes: 1e9 } }
const SUCCESSOR = pairMeta({ term: 3, branch: 3, mode: 'alone', leader: 'h2', began: 'promotion' })

/** h1 has seen that h2 leads, could not write it down, and is left alone with a disk that is free again. */
async function left(mode: 'paired' | 'alone', impaired = DONE) {
  const host = await leader({ meta: pairMeta({ mode }) })
  host.converges = { impair: () => impaired, role: () => FAILED, alone: () => FAILED }
  host.disks = () => Promise.reject(new Error('ENOSPC'))
  await host.rounds(5, { ...answers({ meta: SUCCESSOR }), ...NOBODY_READS, ...FULL })
  expect(host.disk.meta?.leader).toBe('h1')
  // The winner acknowledges alone for as long as it likes, and dies; then someone frees the disk.
  await host.rounds(20, SILENT)
  host.log.length = 0
  host.disks = () => Promise.resolve()
  host.converges = { impair: () => DONE, role: () => DONE, alone: () => DONE }
  await host.rounds(10, FREE)
  return host
}

test.each([
  ['paired, and its fence fails with the disk', 'paired', FAILED],
  ['alone, and it stands still', 'alone', DONE],
] as const)(
  'a leader that saw a higher branch and could not write it down never leads again when the winner falls silent: %s (A5)',
  async (_, mode, impaired) => {
    const { log } = await left(mode, impaired)
    expect(log.filter((line) => /^(meta|converge (role|alone))/.test(line))).toEqual([])
  },
)

test('a stall makes a leader forget no winner that it could not write down (A5, A8)', async () => {
  const host = await left('alone')
  host.clock.move(60_000)
  await host.rounds(10)
  expect(host.log.filter((line) => /^(meta|converge (role|alone))/.test(line))).toEqual([])
})

test('an operator may say that it leads all the same (A5)', async () => {
  const host = await left('alone')
  const asked = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(3)
  expect(await asked).toMatchObject({ ok: true, rule: 'forced-lead' })
  expect(host.core.status()).toMatchObject({ impaired: false, settled: true })
})

test('a leader that was superseded follows when the winner is back, and may lead after it (A5)', async () => {
  const host = await left('alone')
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: SUCCESSOR }) })
  expect(host.disk.meta?.leader).toBe('h2')
  const returned = pairMeta({ term: 5, branch: 5, mode: 'alone', began: 'handover' })
  await host.rounds(2, { ...answers({ meta: returned }), ...leading() })
  await host.rounds(5, { ...SILENT, ...leading({ synchronous: false }) })
  expect(host.core.facts()).toMatchObject({ proven: true, impaired: false })
})

test('a leader that follows from now on stops kine before its converge has come to it: its table is set aside (A2, B6)', async () => {
  const host = await leader({ meta: pairMeta({ mode: 'alone' }) })
  host.converges = { role: () => FAILED }
  host.log.length = 0
  await host.rounds(1, { ...GATEWAY_UP, ...answers({ meta: SUCCESSOR }) })
  expect(host.disk.meta?.leader).toBe('h2')
  const stopped = host.log.indexOf('kine is killed')
  expect(stopped, host.log.join(', ')).toBeGreaterThan(-1)
  expect(stopped).toBeLessThan(host.log.findIndex((line) => line.startsWith('converge role')))
})

test('a leader that has yielded waits for the word of a peer who has had the time to promote (A5)', async () => {
  const host = await leader()
  host.converges = { impair: () => FAILED, role: () => DONE }
  host.handOvers = () => ({ ok: true })
  await host.rounds(8, { postgres: { up: false, starting: false, why: 'connection refused' } })
  await host.rounds(30, { ...SILENT, ...leading() })
  expect(host.log).toEqual(['converge impair urgent', 'hand-over: yield 2'])
  await host.rounds(2, answers({ meta: pairMeta() }))
  expect(host.log.at(-1), 'it did not').toBe('converge role urgent')
})

test('a leader that stood still while its peer was lost waits for the word of that one, which may have promoted itself meanwhile (A5)', async () => {
  const host = await leader()
  host.converges = { impair: () => DONE, role: () => DONE, alone: () => DONE }
  host.handOvers = () => ({ ok: false, why: 'its disk is full', follows: true })
  await host.rounds(8, { postgres: { up: false, starting: false, why: 'connection refused' } })
  await host.rounds(8, SILENT)
  await host.rounds(8, NOBODY_READS)
  expect(host.rule).toBe('unproven-wait')
  expect(host.log).not.toContain('converge role urgent')
  await host.rounds(2, answers({ meta: pairMeta() }))
  expect(host.log.at(-1), 'it did not').toBe('converge role urgent')
})
