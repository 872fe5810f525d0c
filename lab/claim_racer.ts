import { createInterface } from 'node:readline'
import { Claims } from '../src/agent/claims.ts'
import type { Facts } from '../src/pair/facts.ts'
import type { HostMeta } from '../src/pair/host_meta.ts'
import { timingOf } from '../src/pair/timing.ts'
import { HttpWitness } from '../src/witness/http.ts'

/** What a racer is told, a line of JSON each; when its input ends it ends. */
export interface RaceOrders {
  readonly self: string
  readonly site: string
  readonly url: string
  readonly ca: string
  /** Of one request. @unit milliseconds */
  readonly timeoutMs: number
  /** The hostMeta that both have. */
  readonly meta: HostMeta
}

/** Until it has won or is refused, as an agent does it round by round. @unit attempts */
const MOST_TRIES = 200

/** An agent's own code, and nothing else of it: run inside a host, it wants to lead when it is told to. */
let claims: Claims | undefined
const host = { meta: null as HostMeta | null, spokenTerm: 0 }

for await (const line of createInterface({ input: process.stdin })) {
  const orders = JSON.parse(line) as RaceOrders
  host.meta = orders.meta
  host.spokenTerm = orders.meta.term
  claims ??= claimsOf(orders)
  process.stdout.write(`${await race(claims)}\n`)
}

async function race(racing: Claims): Promise<string> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const said: string[] = []
    await racing.withClaim({ forced: false, stop: new AbortController().signal }, async (taken) => {
      said.push(taken.kind === 'won' ? `won ${taken.term}` : taken.kind)
      return true
    })
    const [answer = 'silent'] = said
    if (answer !== 'silent') return answer
  }
  return 'silent'
}

function claimsOf({ self, site, url, ca, timeoutMs }: RaceOrders): Claims {
  const witness = new HttpWitness({ url, ca, token: null, timeoutMs }, site)
  const clock = {
    now: () => performance.now(),
    sleep: async () => {},
    wallTime: () => new Date().toISOString(),
  }
  const own = {
    self,
    settings: { timing: timingOf({ intervalMs: 1_000, failures: 4 }) },
    get meta() {
      return host.meta
    },
    get spokenTerm() {
      return host.spokenTerm
    },
    facts: (): Facts => {
      throw new Error('nothing is kept true here')
    },
    fault: () => {},
  }
  return new Claims(own, { clock, witness, note: () => {} })
}
