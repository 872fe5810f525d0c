import type { Step } from './engine.ts'
import { Violation } from './judge.ts'
import type { Partition, StartAgent } from './running_agent.ts'
import { apply, type Outage } from './outages.ts'
import { randomOf } from './random.ts'
import { stormOf } from './storm.ts'
import type { SequenceRules } from './sequences.ts'
import { World } from './world.ts'

/** What a run is made of; the same plan gives the same run. */
export interface SimulationPlan {
  readonly seed: number
  readonly startAgent: StartAgent
  readonly told?: boolean
  readonly partition?: Partition
  readonly sequence?: readonly Step[]
  readonly rules?: Partial<SequenceRules>
  /** Something of the world that a mutation changes, before the hosts are switched on. */
  readonly prepare?: (world: World) => void
  /** These outages, instead of those that the seed draws. */
  readonly storm?: readonly Outage[]
  /** See {@link World.probeBoundMs}. */
  readonly probeBoundMs?: number
  /** Storms in a row, each with its calm. Default: one. */
  readonly storms?: number
}

export interface SimulationResult {
  readonly violation: string | null
  readonly world: World
  /** @unit milliseconds of simulated time */
  readonly tookMs: number
}

/** A pair boots, and is well, within this. @unit milliseconds */
const BOOT_BOUND_MS = 60_000

/** Outages begin within a time of this length. @unit milliseconds */
const STORM_MS = 60_000

/** After the last outage has ended a pair is well again within this. @unit milliseconds */
export const HEAL_BOUND_MS = 150_000

/** How long it must stay well before it is believed. @unit milliseconds */
const CALM_MS = 5_000

/** One seed: boot, a storm of outages, and then everything must become well by itself. */
export async function simulate(plan: SimulationPlan): Promise<SimulationResult> {
  const world = new World(plan)
  plan.prepare?.(world)
  const random = randomOf(plan.seed).fork(9)
  try {
    world.start()
    await becomeWell(world, BOOT_BOUND_MS)
    for (let storm = 0; storm < (plan.storms ?? 1); storm++) {
      const fromMs = world.time.now
      await weather(
        world,
        plan.storm ??
          stormOf(random, {
            fromMs,
            toMs: fromMs + STORM_MS,
            partition: world.policy,
          }),
      )
      await becomeWell(world, HEAL_BOUND_MS)
    }
    await comeToRest(world)
    return { violation: null, world, tookMs: world.time.now }
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { violation: error.message, world, tookMs: world.time.now }
  } finally {
    world.end()
  }
}

async function weather(world: World, outages: readonly Outage[]): Promise<void> {
  for (const outage of outages) {
    await world.time.runTo(outage.atMs)
    apply(world, outage)
  }
  apply(world, { atMs: world.time.now, text: 'heal' })
}

async function becomeWell(world: World, boundMs: number): Promise<void> {
  const { time, judge } = world
  const end = time.now + boundMs
  let since: number | null = null
  while (since === null || time.now - since < CALM_MS) {
    if (time.now > end)
      throw judge.violation(
        `not well ${boundMs / 1000} s after all was healed: ${judge.complaint() ?? 'it flaps'}`,
      )
    await time.runTo(time.now + 500)
    thawFrozen(world)
    powerOn(world)
    since = judge.complaint() === null ? (since ?? time.now) : null
  }
}

/** The operator who healed everything has also looked at a flap guard. */
function thawFrozen({ machines, time }: World): void {
  for (const { agent } of machines)
    if (agent?.core.frozen() === true) time.wake(() => agent.core.ask({ kind: 'thaw' }))
}

/** And switches on what was powered off meanwhile by a host that had not heard it yet. */
function powerOn({ machines, policy }: World): void {
  if (policy === 'power') for (const machine of machines) machine.powerOn()
}

/** Writes end, what is under way arrives, and the two tables are one. */
async function comeToRest({ time, clients, judge }: World): Promise<void> {
  for (const client of clients) client.stop()
  await time.runTo(time.now + 4_000)
  judge.bothHaveTheSame()
  judge.nothingDropped()
}
