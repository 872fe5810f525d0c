import { expect, test } from 'vitest'
import { HOST_NAMES } from '../../lab/names.ts'
import { Claims } from '../../src/agent/claims.ts'
import type { Facts } from '../../src/pair/facts.ts'
import { timingOf } from '../../src/pair/timing.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'
import { randomOf } from './random.ts'
import { type Life, VirtualTime } from './virtual_time.ts'
import { SimWitness } from './witness.ts'

const RACES = 1_000

/** After this the witness answers again, and quickly. @unit milliseconds */
const TROUBLE_MS = 8_000

const META = pairMeta({ term: 5 })

/** By a host that was cut before it wrote hostMeta, and found its leader well afterwards. */
const WON_BEFORE = { term: 6, mode: 'alone' } as const

/** What its peer said, to the leader of the pair and to its follower. */
const BEFORE = { h1: saying(META, { proofTerm: 5 }), h2: saying(META, { proofTerm: null }) }

interface Runner {
  readonly startMs: number
  /** When it looks at the claim in the background; null: never. */
  readonly gaveUpMs: number | null
}

/** One host that wants to lead: it asks again, round by round, until it has won or was refused. */
function runner(
  host: 'h1' | 'h2',
  { time, witness }: { readonly time: VirtualTime; readonly witness: SimWitness },
  { startMs, gaveUpMs }: Runner,
) {
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
    // As it was before the cut: in the background it gives up what it won and did not need.
    facts: (): Facts => healthy({ self: host, meta: META, peer: BEFORE[host] }),
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
  if (gaveUpMs !== null) time.after(gaveUpMs, life, () => time.wake(() => claims.keep()))
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
    ...random.pick([{ term: 3, mode: 'paired' }, { term: 5, mode: 'paired' }, WON_BEFORE] as const),
    holder: random.pick(['h1', 'h2']),
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
  const both = HOST_NAMES.map((host) => {
    const startMs = random.between(0, 1_500)
    const gaveUpMs = random.chance(0.5) ? random.between(0, startMs) : null
    return runner(host, { time, witness }, { startMs, gaveUpMs })
  })
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
