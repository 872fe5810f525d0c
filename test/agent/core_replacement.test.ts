import { expect, test } from 'vitest'
import { answers, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE, type ScriptedHost } from '../support/scripted_agent.ts'
import { leader } from '../support/settled_agents.ts'

const ALONE = pairMeta({ mode: 'alone', term: 3 })
const H3 = { kind: 'replacement', name: 'h3', address: '10.77.0.13' } as const

/** A leader that has been alone for a while; nothing reads its slot. */
async function alone(): Promise<ScriptedHost> {
  const host = await leader({ meta: ALONE })
  host.converges = { role: () => DONE }
  const unread = { slot: 'idle', streaming: false, synchronous: false, flushedBytes: null } as const
  await host.rounds(6, { ...SILENT, ...leading(unread) })
  expect(host.log).toEqual([])
  return host
}

test('a newcomer of another name: the site file names it before hostMeta does, and both before it is converged (B10)', async () => {
  const host = await alone()
  const asked = host.core.ask(H3)
  await host.rounds()
  expect(await asked).toMatchObject({ ok: true, rule: 'replacement' })
  expect(host.log).toEqual([
    'site h2 -> h3 10.77.0.13',
    'meta 4/1 alone h1 h3_1_2',
    'converge role,postgres',
  ])
  expect(host.core.status().settled).toBe(true)
})

test('power lost between the two: hostMeta is the one before, and it can be asked again (B10)', async () => {
  const host = await alone()
  host.writesLeft = 1
  void host.core.ask(H3)
  await Promise.race([host.rounds(), host.powerCut])
  expect(host.disk.meta).toEqual(ALONE)
  await host.reboot()
  await host.rounds(6)
  const asked = host.core.ask(H3)
  await host.rounds()
  expect(await asked).toMatchObject({ ok: true })
  expect(host.disk.meta?.hosts[1]?.name).toBe('h3')
})

test('a pair, or a peer that answers, is not replaced by whoever asks (B10)', async () => {
  const paired = await leader()
  const refused = paired.core.ask(H3)
  await paired.rounds()
  expect(await refused).toMatchObject({ ok: false, rule: 'steady' })
  const host = await alone()
  const late = host.core.ask(H3)
  await host.rounds(1, answers({ meta: ALONE }))
  expect(await late).toMatchObject({ ok: false })
  expect(host.log.filter((line) => line.startsWith('site'))).toEqual([])
})
