import { expect, test } from 'vitest'
import type { Sighting } from '../../src/agent/ports.ts'
import type { PowerAnswer, PowerCommand } from '../../src/pair/power.ts'
import {
  answers,
  following,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { DONE, ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()
const FENCING = {
  partition: 'consistency',
  acceptLossBytes: 0,
  fencing: { followerDelayMs: 3_000 },
} as const

const OFF = { kind: 'ended', off: true, text: 'off' } as const
const ON = { kind: 'ended', off: false, text: 'on' } as const
const NOTHING = { kind: 'silent', why: 'no answer' } as const

type Controller = (command: PowerCommand) => PowerAnswer

/** A host of which what it asks of its peer's controller is in the log. */
function hostWith(self: string, controller: Controller): ScriptedHost {
  const host = new ScriptedHost(self, { meta: META }, FENCING)
  host.converges = { role: () => DONE, alone: () => DONE, impair: () => DONE }
  host.power = {
    commandMs: 1_000,
    attemptMs: 2_000,
    run: (command) => {
      host.log.push(`power ${command}`)
      return Promise.resolve(controller(command))
    },
  }
  return host
}

/** h2 follows h1, has settled and has its proof; its controller has been asked after once. */
async function follower(controller: Controller): Promise<ScriptedHost> {
  let leaderAnswers = true
  const host = hostWith('h2', (command) => (leaderAnswers ? ON : controller(command)))
  await host.reboot()
  await host.rounds(3, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  host.log.length = 0
  leaderAnswers = false
  return host
}

/** Rounds go on while something is under way: what waits for the clock goes on with them. */
async function goesOn(host: ScriptedHost, rounds: number, seen: Partial<Sighting> = SILENT) {
  host.sighting = { ...host.sighting, ...seen }
  for (let half = 0; half < 2 * rounds; half++) {
    host.clock.move(500)
    if (half % 2 === 1) await host.core.round()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A machine that goes off when it is told to. */
function machine(): Controller {
  let isOff = false
  return (command) => {
    const said = isOff ? OFF : ON
    if (command === 'off') isOff = true
    return said
  }
}

const written = ({ log }: ScriptedHost) => log.find((line) => line.startsWith('meta'))

const faultsOf = ({ notes }: ScriptedHost) =>
  notes.flatMap((note) => (note.kind === 'fault' ? [note.what] : []))

test('a follower promotes when its leader was powered off and seen to be: in this order (B6)', async () => {
  const host = await follower(machine())
  await goesOn(host, 12)
  expect(host.log.slice(0, 4)).toEqual([
    'power status',
    'power off',
    'power status',
    'meta 3/3 alone h2 h1_3_1',
  ])
})

test('one that is off already is not powered off', async () => {
  const host = await follower(() => OFF)
  await goesOn(host, 12)
  expect(host.log.slice(0, 2)).toEqual(['power status', 'meta 3/3 alone h2 h1_3_1'])
})

test.each<[string, Controller]>([
  ['gives no answer', () => NOTHING],
  ['takes no order', (command) => (command === 'off' ? NOTHING : ON)],
  ['says for ever that it is on', () => ON],
])(
  '41: a controller that %s is no proof: nothing is written, and the trouble is told once (A4)',
  async (_, controller) => {
    const host = await follower(controller)
    await goesOn(host, 120)
    expect(written(host)).toBeUndefined()
    expect(host.rule).toBe('power-off-wanted')
    expect(faultsOf(host)).toEqual(['fencing'])
    const attempts = host.notes.filter(({ kind }) => kind === 'power-off')
    expect(attempts.length).toBeGreaterThan(2)
    expect(attempts.length).toBeLessThan(8)
  },
)

test('a controller that calls a host off which answers means another machine: it is told, and proves nothing until it takes that back', async () => {
  const host = hostWith('h2', () => OFF)
  await host.reboot()
  await host.rounds(4, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  expect(faultsOf(host)).toEqual(['fencing'])
  expect(host.core.desk.power()).toMatchObject({ answers: false })
  await goesOn(host, 20)
  expect(written(host)).toBeUndefined()
})

test('a leader that asks this host after it was called off is not off', async () => {
  const host = await follower(() => {
    void host.core.onStatus()
    return OFF
  })
  await goesOn(host, 20)
  expect(written(host)).toBeUndefined()
})

test('a leader whose follower is silent goes alone when that is seen to be off, and by a void proof without it (B7)', async () => {
  const host = hostWith('h1', machine())
  await host.reboot()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...leading() })
  host.log.length = 0
  await goesOn(host, 6, { ...SILENT, ...leading({ oldestWaitMs: 3_000 }) })
  expect(host.log.slice(0, 4)).toEqual([
    'power status',
    'power off',
    'power status',
    'meta 3/1 alone h1 h2_1_1',
  ])
})

test("a leader whose follower's mains are gone, and its controller with them, goes on alone by an operator's force, in the middle of an attempt as well (B7)", async () => {
  const host = hostWith('h1', () => NOTHING)
  host.power = {
    commandMs: 4_000,
    attemptMs: 4_000,
    run: async (_, { boundMs, stop }) => {
      host.log.push('power is asked')
      await host.clock.sleep(boundMs, stop)
      return NOTHING
    },
  }
  await host.reboot()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...leading() })
  host.log.length = 0
  host.sighting = { ...host.sighting, ...SILENT, ...leading({ oldestWaitMs: 3_000 }) }
  for (let round = 0; host.log.length === 0 && round < 10; round++) await goesOn(host, 1, {})
  const asked = host.core.ask({ kind: 'promote', force: true })
  await goesOn(host, 6, {})
  expect(await asked).toMatchObject({ ok: true, rule: 'forced-alone' })
  expect(written(host)).toContain('meta 3/1 alone h1')
})

test("an operator's force powers the silent peer off where it can be, and waits for no proof (A5)", async () => {
  const host = await follower(() => NOTHING)
  await goesOn(host, 6)
  const asked = host.core.ask({ kind: 'promote', force: true })
  await goesOn(host, 2)
  expect(await asked).toMatchObject({ ok: true, rule: 'promote-forced' })
  expect(written(host)).toContain('meta 3/3 alone h2')
  expect(host.log).toContain('power status')
})
