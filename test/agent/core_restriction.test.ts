import { expect, test } from 'vitest'
import {
  answers,
  following,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { DONE, FAILED, ScriptedHost } from '../support/scripted_agent.ts'

const ALONE = pairMeta({ mode: 'alone', term: 3 })
const SEEN = { ...GATEWAY_UP, ...SILENT, ...leading({ synchronous: false }) }

async function restricting(self: string, restricts = true): Promise<ScriptedHost> {
  const host = new ScriptedHost(self, { meta: ALONE })
  host.restricts = restricts
  await host.reboot()
  host.converges = { role: () => DONE, restrict: () => DONE }
  return host
}

const told = ({ log }: ScriptedHost) => log.filter((line) => line.includes('restrict'))

test('a leader that is alone tells Kubernetes what may be changed, once, when it serves', async () => {
  const host = await restricting('h1')
  await host.rounds(6, SEEN)
  expect(host.log).toEqual(['converge role', 'converge restrict'])
})

test('what Kubernetes did not take is told again, and nothing else waits for it', async () => {
  const host = await restricting('h1')
  host.converges = { role: () => DONE, restrict: () => FAILED }
  await host.rounds(60, SEEN)
  const tries = told(host).length
  expect(tries).toBeGreaterThan(2)
  expect(tries, 'with growing pauses').toBeLessThan(10)
  host.converges = { role: () => DONE, restrict: () => DONE }
  await host.rounds(60)
  expect(told(host)).toHaveLength(tries + 1)
})

test('a pair again, it is lifted', async () => {
  const host = await restricting('h1')
  host.converges = { role: () => DONE, restrict: () => DONE, pair: () => DONE }
  await host.rounds(4, SEEN)
  const caughtUp = { ...GATEWAY_UP, ...leading(), ...answers({ meta: ALONE }) }
  await host.rounds(3, caughtUp)
  const paired = host.disk.meta
  expect(paired?.mode).toBe('paired')
  await host.rounds(3, answers({ meta: paired, proofTerm: paired?.term ?? null }))
  expect(told(host)).toHaveLength(2)
})

test('a follower tells Kubernetes nothing, and neither does a site that restricts nothing', async () => {
  const follower = await restricting('h2')
  await follower.rounds(4, { ...GATEWAY_UP, ...answers({ meta: ALONE }), ...following('h2_1_1') })
  const free = await restricting('h1', false)
  await free.rounds(4, SEEN)
  expect([...told(follower), ...told(free)]).toEqual([])
})
