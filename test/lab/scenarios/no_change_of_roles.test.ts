import { beforeAll, expect, test } from 'vitest'
import { setTimeout as pause } from 'node:timers/promises'
import { HOST_NAMES, type HostName } from '../../../lab/names.ts'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import { convergedPair, inHost, psql } from '../pair.ts'
import { onThePair, type Scenario, unitRuns } from '../scenario.ts'

/** What heals by itself heals within this on a busy machine. @unit milliseconds */
const HEALED_MS = 30_000

// These leave the pair as it was, so that they share one reset.
beforeAll(async () => {
  await convergedPair()
})

/** The term of the last change of leader is still the first one, and so is the leader. */
function ledByH1(scenario: Scenario): boolean {
  const meta = metaOf(scenario.lab, 'h1')
  return meta?.leader === 'h1' && meta.branch === 1 && metaOf(scenario.lab, 'h2')?.leader === 'h1'
}

test('3, C1: PostgreSQL of the leader is killed: it is started again, on the same branch, and its follower comes back without a pause of 5 s', async () => {
  const scenario = await onThePair()
  const writer = await scenario.writer('h2')
  await scenario.act("h1's PostgreSQL is killed", async () => {
    expect(scenario.lab.signalUnit('h1', 'postgresql@15-main.service')).toBeGreaterThan(1)
  })
  await scenario.writing(HEALED_MS)
  await scenario.paired('h1', HEALED_MS)
  expect(ledByH1(scenario), writer.name).toBe(true)
  for (const host of HOST_NAMES)
    expect(await psql(host, 'show wal_retrieve_retry_interval')).toBe('200ms')
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})

test('5: kine of either host is killed: it is started again, and that is all', async () => {
  const scenario = await onThePair()
  await scenario.writer('h2')
  await scenario.writer('h1')
  for (const host of ['h1', 'h2'] satisfies HostName[]) {
    await scenario.act(`${host}'s kine is killed`, async () => {
      expect(scenario.lab.signalUnit(host, 'kine.service')).toBe(1)
    })
    await scenario.writing(HEALED_MS)
  }
  await scenario.paired('h1', HEALED_MS)
  expect(ledByH1(scenario)).toBe(true)
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})

test('5: kine of the leader hangs for four seconds: nobody changes a role', async () => {
  const scenario = await onThePair()
  await scenario.writer('h2')
  await scenario.act("h1's kine hangs", async () => {
    scenario.lab.signalUnit('h1', 'kine.service', { signal: 'SIGSTOP' })
  })
  await scenario.holds('h1 leads', () => ledByH1(scenario), 4_000)
  await scenario.act("h1's kine goes on", async () => {
    scenario.lab.signalUnit('h1', 'kine.service', { signal: 'SIGCONT' })
  })
  await scenario.writing(HEALED_MS)
  await scenario.paired('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})

test("2, B9: the leader's agent hangs: the guard stops kine, and the watchdog starts another agent before the follower would lead", async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  await scenario.writer('h2')
  const agent = await inHost('h1', MAIN_PID)
  const hungAt = await scenario.act("h1's agent hangs", async () => {
    lab.signalUnit('h1', 'twonode-agent.service', { signal: 'SIGSTOP' })
  })
  await scenario.poll('the guard to stop kine', async () => !(await kineRuns()), 8_000)
  await scenario.poll(
    'another agent',
    async () => {
      const now = await inHost('h1', MAIN_PID)
      return now !== agent && now !== '0'
    },
    HEALED_MS,
  )
  await scenario.writing(HEALED_MS)
  await scenario.paired('h1', HEALED_MS)
  expect(ledByH1(scenario)).toBe(true)
  const led = decisions(lab, hungAt).filter(({ record }) => record['goal'] === 'promote')
  expect(led).toEqual([])
  expect(await scenario.end('h1', ['h2'])).toEqual([])
})

const MAIN_PID = ['systemctl', 'show', '-P', 'MainPID', 'twonode-agent.service']

const kineRuns = () => unitRuns('h1', 'kine.service')

test('6: k3s of the leader is killed: systemd starts it, and the database stays where it is', async () => {
  const scenario = await onThePair()
  await scenario.writer('h2')
  await scenario.act("h1's k3s is killed", async () => {
    expect(scenario.lab.signalUnit('h1', 'k3s.service')).toBeGreaterThan(3)
  })
  await scenario.holds('h1 leads', () => ledByH1(scenario), 6_000)
  await scenario.poll(
    "h1's API server answers again",
    async () => {
      const argv = [
        '/usr/local/bin/k3s',
        'kubectl',
        '--request-timeout=2s',
        'get',
        '--raw',
        '/readyz',
      ]
      return (await scenario.lab.exec('h1', argv, { timeoutMs: 5_000 })).code === 0
    },
    HEALED_MS,
  )
  await scenario.paired('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h2'])).toEqual([])
})

test('14: the gateway is dead for both and the peers are fine: nothing changes', async () => {
  const scenario = await onThePair()
  await scenario.writer('h1', 'h1')
  await scenario.act('no gateway for h1 and h2', async () => {
    await scenario.lab.cut('h1', { from: 'gateway' })
    await scenario.lab.cut('h2', { from: 'gateway' })
  })
  await scenario.holds('h1 leads', () => ledByH1(scenario), 8_000)
  await scenario.writing(5_000)
  await scenario.act('the gateway is back', () => scenario.lab.heal())
  await scenario.paired('h1', HEALED_MS)
  expect(metaOf(scenario.lab, 'h1')?.term, 'no change of mode either').toBe(
    metaOf(scenario.lab, 'h2')?.term,
  )
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})

test('13: a path that loses packets, is slow, and flaps for less than the threshold makes no failover', async () => {
  const scenario = await onThePair()
  await scenario.writer('h2')
  await scenario.act('5 % of all packets are lost, and a round trip takes 100 ms', async () => {
    for (const host of ['h1', 'h2'] satisfies HostName[]) {
      await scenario.lab.loss(host, 5, 13)
      await scenario.lab.delay(host, 50)
    }
  })
  await scenario.holds('h1 leads', () => ledByH1(scenario), 10_000)
  await scenario.lab.heal()
  for (let time = 1; time <= 3; time += 1) {
    await scenario.act(`the link is down, time ${time}`, () =>
      scenario.lab.cut('h2', { from: 'peer' }),
    )
    // The length of the outage is what is tested.
    await pause(1_200)
    await scenario.act('the link is up', () => scenario.lab.heal())
    await scenario.holds('h1 leads', () => ledByH1(scenario), 1_500)
  }
  await scenario.writing(HEALED_MS)
  await scenario.paired('h1', HEALED_MS)
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})
