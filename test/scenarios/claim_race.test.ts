import { expect, test } from 'vitest'
import { Claims } from '../../src/agent/claims.ts'
import type { Facts } from '../../src/pair/facts.ts'
import { timingOf } from '../../src/pair/timing.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { randomOf } from './random.ts'
import { type Life, VirtualTime } from './virtual_time.ts'
import { SimWitness } from './witness.ts'

const RACES = 1_000

/** After this the witness answers again, and quickly. @unit milliseconds */
const TROUBLE_MS = 8_000

const META = pairMeta({ term: 5 })

/** One host that wants to lead: it asks again, round by round, until it has won or was refused. */
function runner(host: string, time: VirtualTime, witness: SimWitness, startMs: number) {
  const life: Life = { alive: true, frozen: null }
  const clock = {
    now: () => time.now,
    sleep: (ms: number) => time.sleep(ms, life),
    wallTime: () => '',
  }
  const own = {
    self: host,
    meta: META,
    settings: { timing: timingOf({ intervalMs: 1_000, failures: 4 }) },
    facts: (): Facts => {
      throw new Error('nothing is looked at')
    },
    spokenTerm: 5,
    fault: () => {},
  }
  const claims = new Claims(own, { clock, note: () => {}, witness: witness.portOf(host, life) })
  const answers: string[] = []
  const stop = new AbortController().signal
  const ask = () => {
    void claims
      .withClaim({ forced: false, stop }, async (taken) => {
        answers.push(taken.kind === 'won' ? `won ${taken.term}` : taken.kind)
        if (taken.kind === 'silent') time.after(1_000, life, () => time.wake(ask))
        return taken.kind === 'won'
      })
      .catch((error: unknown) => answers.push(String(error)))
  }
  time.after(startMs, life, () => time.wake(ask))
  return answers
}

/** What each of the two heard last, in a race with this seed. */
async function race(seed: number) {
  const random = randomOf(seed)
  const time = new VirtualTime()
  const witness = new SimWitness(time, random.fork(1))
  witness.claim = {
    format: 1,
    site: META.site,
    term: random.pick([3, 5]),
    holder: random.pick(['h1', 'h2']),
    mode: 'paired',
    nonce: 'first',
  }
  witness.loss = random.pick([0, 0.3, 0.6, 0.9])
  witness.delayMs = random.pick([0, 50, 500, 1_500])
  witness.dead = random.chance(0.2)
  const life: Life = { alive: true, frozen: null }
  time.after(TROUBLE_MS, life, () => {
    witness.loss = 0
    witness.delayMs = 0
    witness.dead = false
  })
  const both = ['h1', 'h2'].map((host) => runner(host, time, witness, random.between(0, 1_500)))
  await time.runTo(2 * TROUBLE_MS)
  return { last: both.map((answers) => answers.at(-1) ?? 'none'), claim: witness.claim }
}

test(`the claim is raced ${RACES} times by both hosts, with answers lost and late: never two win, and once the witness answers one has (A4)`, async () => {
  const winners = new Map<string, number>()
  for (let seed = 1; seed <= RACES; seed++) {
    const { last, claim } = await race(seed)
    const won = `won ${claim.term}`
    expect(last.toSorted(), `race ${seed}`).toEqual(['refused', won])
    expect(claim.term, `race ${seed}`).toBeGreaterThan(META.term)
    const winner = last[0] === won ? 'h1' : 'h2'
    expect(claim.holder, `race ${seed}`).toBe(winner)
    winners.set(winner, (winners.get(winner) ?? 0) + 1)
  }
  // Or it would be no race.
  expect(Math.min(...winners.values())).toBeGreaterThan(RACES / 4)
})
