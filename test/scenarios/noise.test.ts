import { expect, test } from 'vitest'
import { timingOf } from '../../src/pair/timing.ts'
import { agentWith } from './agent.ts'
import type { Outage } from './outages.ts'
import { type Random, randomOf } from './random.ts'
import type { StartAgent } from './running_agent.ts'
import { simulate } from './simulate.ts'

/** The quickest that the bench shows: a leader is gone after a second. */
const TIMING = timingOf({ intervalMs: 250, failures: 4 })

const HOUR_MS = 3_600_000

/** A pair boots and settles within this. @unit milliseconds */
const BOOTED_MS = 60_000

/** What a busy machine or a poor link does to a pair in which nothing is broken, one after the other. */
function noiseOf(random: Random): Outage[] {
  const outages: Outage[] = []
  for (let atMs = BOOTED_MS; atMs < BOOTED_MS + HOUR_MS;) {
    const [begin, end, lastsMs] = oneOf(random)
    outages.push({ atMs, text: begin }, { atMs: atMs + lastsMs, text: end })
    atMs += lastsMs + random.between(100, 2_000)
  }
  return outages
}

function oneOf(random: Random): readonly [begin: string, end: string, lastsMs: number] {
  const host = random.pick(['h1', 'h2'])
  const kind = random.pick(['delay', 'loss', 'pause', 'stall'])
  // A round trip of less than a probe's bound, which is half an interval.
  if (kind === 'delay') return [`delay ${random.between(5, 55)}`, 'delay 0', seconds(random)]
  if (kind === 'loss') return [`loss ${random.between(1, 10)}`, 'loss 0', seconds(random)]
  // The garbage of an agent, and a virtual machine whose turn it is not: less than three intervals.
  const pauseMs = random.between(50, 600)
  return [`freeze ${host}${kind === 'stall' ? ' all' : ''}`, `thaw ${host}`, pauseMs]
}

const seconds = (random: Random): number => random.between(500, 20_000)

/** Goals that change neither role nor mode, and stop nothing. */
const HARMLESS: ReadonlySet<string> = new Set(['stay', 'settle', 'wait'])

test('an hour of noise changes no role and no mode at an interval of 250 ms', async () => {
  const changes: string[] = []
  const startAgent: StartAgent = (ports, host) => {
    const note: typeof ports.note = (entry) => {
      ports.note(entry)
      // Before that the two find each other.
      const booted = ports.clock.now() >= BOOTED_MS
      if (booted && entry.kind === 'decision' && !HARMLESS.has(entry.goal)) changes.push(entry.rule)
    }
    return agentWith({ ...ports, note }, host, TIMING)
  }
  const storm = noiseOf(randomOf(1))
  const probeBoundMs = TIMING.probeTimeoutMs
  const { violation, world } = await simulate({ seed: 1, startAgent, storm, probeBoundMs })
  expect(violation).toBeNull()
  expect(changes).toEqual([])
  expect(world.machines.map(({ meta }) => [meta?.leader, meta?.term])).toEqual([
    ['h1', 2],
    ['h1', 2],
  ])
}, 240_000)
