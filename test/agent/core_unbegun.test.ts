import { expect, test } from 'vitest'
import type { HandOverAnswer } from '../../src/agent/ports.ts'
import { answers, following, GATEWAY_UP, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE, FAILED, ScriptedHost } from '../support/scripted_agent.ts'

const HANDED = pairMeta({ term: 3, branch: 3, mode: 'alone', leader: 'h2', began: 'handover' })
const FULL = { disk: { writable: false, freeBytes: 0 } }
const FREE = { disk: { writable: true, freeBytes: 1e10 } }
const MARKED = { fork: { exists: true, fork: null } }
const UNMARKED = { begun: { rows: [{ marked: false }] } }
const NOT_SO_FAR = {}

/** h2 has taken up the lead, and its disk is full before it can write the marker of its branch. */
async function takenUp(registered?: Readonly<Record<string, unknown>>) {
  const failed = registered === undefined ? FAILED : { ...FAILED, registered }
  const host = new ScriptedHost('h2', { meta: pairMeta() })
  host.converges = { role: () => DONE, impair: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: pairMeta() }), ...following('h2_1_1') })
  host.converges = { role: () => failed, impair: () => DONE }
  host.handOvers = () => ({ ok: true })
  await host.rounds(1, answers({ meta: HANDED }))
  expect(host.disk.meta?.leader).toBe('h2')
  host.log.length = 0
  return host
}

test.each([
  ['as a converge has read', UNMARKED],
  ['for no converge came so far', NOT_SO_FAR],
])(
  'a host that has written down that it leads gives the lead back when it can not begin its branch, %s, and leads it no more (A7)',
  async (_, registered) => {
    const host = await takenUp(registered)
    await host.rounds(1, FULL)
    expect(host.log).toEqual(['hand-over: back 3'])
    // The old leader is about to promote, and is not heard: there is room again, and nobody may lead twice.
    host.converges = { role: () => DONE, impair: () => DONE }
    await host.rounds(30, { ...SILENT, ...FREE })
    expect(host.log.filter((line) => /role|meta/.test(line))).toEqual([])
    expect(host.core.status()).toMatchObject({ impaired: true })
    const promoted = { ...HANDED, term: 4, branch: 4, leader: 'h1', began: 'promotion' as const }
    await host.rounds(1, answers({ meta: promoted }))
    expect(host.disk.meta?.leader).toBe('h1')
  },
)

test.each([
  ['has its marker', MARKED],
  ['may have it', undefined],
])(
  'a branch that %s is not given back: it may have been written in (A7)',
  async (_, registered) => {
    const host = await takenUp(registered)
    await host.rounds(5, FULL)
    expect(host.log.filter((line) => line.startsWith('hand-over'))).toEqual([])
  },
)

test('a lead that was given back stays so, whatever its old leader answers when it is asked again (A7)', async () => {
  const host = await takenUp(UNMARKED)
  const answered: HandOverAnswer[] = [{ ok: true }]
  host.handOvers = () => answered.shift() ?? { ok: false, why: 'it has promoted' }
  // The answer, and the hostMeta that follows from it, come a while apart.
  await host.rounds(20, FULL)
  expect(host.log.filter((line) => line === 'hand-over: back 3').length).toBeGreaterThan(1)
  host.converges = { role: () => DONE, impair: () => DONE }
  await host.rounds(30, { ...SILENT, ...FREE })
  expect(host.log.filter((line) => /role|meta/.test(line))).toEqual([])
})

test('a lead that its old leader does not take back is taken up when there is room (A7)', async () => {
  const host = await takenUp(UNMARKED)
  host.handOvers = () => ({ ok: false, why: 'its PostgreSQL is not up' })
  await host.rounds(3, FULL)
  host.converges = { role: () => DONE }
  await host.rounds(3, FREE)
  expect(host.log.at(-1)).toBe('converge role urgent')
  expect(host.core.facts()).toMatchObject({ proven: true, impaired: false })
})

test('an agent that starts anew in a branch that it was handed waits for its peer: it may have given it back (A5, A7)', async () => {
  const host = await takenUp(UNMARKED)
  host.converges = { role: () => DONE, impair: () => DONE }
  await host.reboot()
  await host.rounds(10, { ...SILENT, ...FREE })
  expect(host.log).toEqual(['converge impair urgent'])
  await host.rounds(3, answers({ meta: HANDED }))
  expect(host.log[1]).toBe('converge role urgent')
})

test('an operator may have it led all the same', async () => {
  const host = await takenUp(UNMARKED)
  await host.rounds(1, FULL)
  host.converges = { role: () => DONE, impair: () => DONE, alone: () => DONE }
  await host.rounds(3, { ...SILENT, ...FREE })
  const asked = host.core.ask({ kind: 'promote', force: true })
  await host.rounds(3)
  expect(await asked).toMatchObject({ ok: true, rule: 'forced-lead' })
  expect(host.core.facts()).toMatchObject({ proven: true, impaired: false })
})
