import { expect, test } from 'vitest'
import { Claims, type Taken } from '../../src/agent/claims.ts'
import type { Claim } from '../../src/pair/claim.ts'
import type { Facts } from '../../src/pair/facts.ts'
import { timingOf } from '../../src/pair/timing.ts'
import type { Witness, WitnessRead, WitnessSwap } from '../../src/pair/witness.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { healthy, saying } from '../support/worlds.ts'

const META = pairMeta({ term: 5 })

/** One object; while it `delays` a swap gets no answer, and is done when `arrive` says so. */
class LateWitness {
  claim: Claim
  delays = false
  readonly #late: (() => void)[] = []
  #version = 1

  constructor(claim: Claim) {
    this.claim = claim
  }

  get late(): number {
    return this.#late.length
  }

  arrive(): void {
    for (const swap of this.#late.splice(0)) swap()
  }

  port(host: string): Witness {
    let nonces = 0
    return {
      nonce: () => `${host}-${++nonces}`,
      read: async (): Promise<WitnessRead> => {
        return { kind: 'claim', claim: this.claim, version: String(this.#version) }
      },
      swap: async (next, over) => {
        if (!this.delays) return this.#swap(next, over)
        this.#late.push(() => void this.#swap(next, over))
        return { kind: 'silent', why: 'no answer within 1000 ms' }
      },
    }
  }

  #swap(next: Claim, over: string | null): WitnessSwap {
    if (over !== String(this.#version)) return { kind: 'lost' }
    this.claim = next
    this.#version += 1
    return { kind: 'written' }
  }
}

/** A host that may win the claim, and does with it what it is told. */
function host(self: string, facts: Facts, witness: LateWitness) {
  const clock = { now: () => 0, sleep: async () => {}, wallTime: () => '' }
  const own = {
    self,
    meta: META,
    settings: { timing: timingOf({ intervalMs: 1_000, failures: 4 }) },
    facts: () => facts,
    spokenTerm: 5,
    fault: () => {},
  }
  const claims = new Claims(own, { clock, note: () => {}, witness: witness.port(self) })
  const takes = async ({ uses }: { readonly uses: boolean }): Promise<Taken | undefined> => {
    let found: Taken | undefined
    await claims.withClaim({ forced: false, stop: new AbortController().signal }, async (taken) => {
      found = taken
      return uses
    })
    return found
  }
  return { claims, takes }
}

const claimBy = (holder: string, mode: Claim['mode'], term: number): Claim => ({
  format: 1,
  site: META.site,
  term,
  holder,
  mode,
  nonce: 'before',
})

/** The leader of the pair, and its follower, as they were before the cut. */
const HOSTS = [
  ['h1', 'h2', healthy({ meta: META, peer: saying(META, { proofTerm: 5 }) })],
  ['h2', 'h1', healthy({ self: 'h2', meta: META, peer: saying(META, { proofTerm: null }) })],
] as const

test.each(HOSTS)(
  'the swap by which %s gives up a claim of a life before comes late, when it has taken the claim anew: %s does not win as well (A4)',
  async (self, other, facts) => {
    const witness = new LateWitness(claimBy(self, 'alone', 6))
    const one = host(self, facts, witness)
    const two = host(other, healthy({ self: other, meta: META }), witness)
    witness.delays = true
    one.claims.keep()
    await expect.poll(() => witness.late).toBe(1)
    witness.delays = false
    expect(await one.takes({ uses: true })).toEqual({ kind: 'won', term: 7 })
    witness.arrive()
    expect(await two.takes({ uses: true })).toMatchObject({ kind: 'refused' })
  },
)

test.each(HOSTS)(
  'nor does it when %s won the claim a moment ago, did not need it, and takes it when it gives it up (A4): not %s',
  async (self, other, facts) => {
    const witness = new LateWitness(claimBy('h1', 'paired', 5))
    const one = host(self, facts, witness)
    const two = host(other, healthy({ self: other, meta: META }), witness)
    expect(await one.takes({ uses: false })).toEqual({ kind: 'won', term: 6 })
    witness.delays = true
    one.claims.keep()
    await expect.poll(() => witness.late).toBe(1)
    witness.delays = false
    expect(await one.takes({ uses: true })).toEqual({ kind: 'won', term: 7 })
    witness.arrive()
    expect(await two.takes({ uses: true })).toMatchObject({ kind: 'refused' })
  },
)

test('whoever swapped and heard no answer finds at the next attempt that it has won, with that term (A4)', async () => {
  const witness = new LateWitness(claimBy('h1', 'paired', 5))
  const { takes } = host('h2', healthy({ self: 'h2', meta: META }), witness)
  witness.delays = true
  expect(await takes({ uses: false })).toMatchObject({ kind: 'silent' })
  witness.arrive()
  expect(witness.claim).toMatchObject({ term: 6, holder: 'h2' })
  expect(await takes({ uses: true })).toEqual({ kind: 'won', term: 6 })
})
