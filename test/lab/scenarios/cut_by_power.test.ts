import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { peerOf, type HostName } from '../../../lab/names.ts'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import { seeded } from '../../../lab/seed.ts'
import { startScenario, type Scenario } from '../scenario.ts'

/** Each takes a minute. @unit rounds */
const ROUNDS = Number(process.env['TWONODE_CUT_ROUNDS'] ?? 1)

/** The flap guard freezes a pair at six changes in an hour. */
const ROUNDS_OF_A_PAIR = 2

/** A promotion takes as long, and so does a return. @unit milliseconds */
const WORK_MS = 400

/** Boot, recovery, and a k3s that starts. @unit milliseconds */
const FAILOVER_MS = 60_000
const RETURN_MS = 120_000

const seeds = Array.from({ length: ROUNDS }, (_, index) => index + 1)
const trials = seeds.filter((seed) => (seed - 1) % ROUNDS_OF_A_PAIR === 0)

test.each(trials)(
  '21, 22: a promotion, and then a return, whose host loses its power in the middle, are finished (from seed %i)',
  async (first) => {
    const scenario = await startScenario()
    let leader: HostName = 'h1'
    for (const seed of seeds.slice(first - 1, first - 1 + ROUNDS_OF_A_PAIR)) {
      const random = seeded(seed)
      const dead: HostName = leader
      const writer = await scenario.writer(peerOf(dead))
      await scenario.writing(FAILOVER_MS)
      const promoted = await cutPromotion(scenario, dead, Math.round(random() * WORK_MS))
      const since = Date.now()
      // In every other round the old leader comes back with the new one, and not after it.
      if (seed % 2 === 1) await finish(scenario, peerOf(dead), promoted)
      await scenario.act(`${dead} has power again`, () => scenario.lab.powerOn(dead))
      if (seed % 2 === 0) await finish(scenario, peerOf(dead), promoted)
      const afterMs = Math.round(random() * WORK_MS)
      if (promoted) await cutReturn(scenario, dead, { since, afterMs })
      // Cut before it had recorded anything, it follows as before: its proof is void since the boot.
      leader = promoted ? peerOf(dead) : dead
      await scenario.paired(leader, RETURN_MS)
      await scenario.sameTables(leader, RETURN_MS)
      await writer.stop()
    }
    expect(await scenario.end(leader, [])).toEqual([])
  },
)

/** True if the promotion was on record when its host's power failed. */
async function cutPromotion(scenario: Scenario, dead: HostName, afterMs: number): Promise<boolean> {
  const { lab } = scenario
  const survivor = peerOf(dead)
  const since = await scenario.act(`${dead} loses its power`, () => lab.powerOff(dead))
  await decided(scenario, { host: survivor, goal: 'promote', since })
  await pause(afterMs)
  await scenario.act(`${survivor} loses its power, ${afterMs} ms later`, () =>
    lab.powerOff(survivor),
  )
  return metaOf(lab, survivor)?.leader === survivor
}

/** On record, the promotion is finished at the boot, and its leader serves. */
async function finish(scenario: Scenario, host: HostName, promoted: boolean): Promise<void> {
  await scenario.act(`${host} has power again`, () => scenario.lab.powerOn(host))
  if (!promoted) return
  await scenario.until({ leader: host }, [host], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
}

async function cutReturn(
  scenario: Scenario,
  host: HostName,
  { since, afterMs }: { readonly since: number; readonly afterMs: number },
): Promise<void> {
  const { lab } = scenario
  await decided(scenario, { host, goal: 'adopt', since })
  await pause(afterMs)
  await scenario.act(`${host} loses its power, ${afterMs} ms after it began to return`, () =>
    lab.powerOff(host),
  )
  await scenario.act(`${host} has power again`, () => lab.powerOn(host))
}

/** Until the journal of a host has this decision. */
async function decided(
  scenario: Scenario,
  { host, goal, since }: { readonly host: HostName; readonly goal: string; readonly since: number },
): Promise<void> {
  await scenario.poll(
    `${host} to decide to ${goal}`,
    () =>
      decisions(scenario.lab, since).some(
        ({ host: by, record }) => by === host && record['goal'] === goal,
      ),
    FAILOVER_MS,
  )
}
