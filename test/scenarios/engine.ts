import type { ConvergeOutcome } from '../../src/agent/ports.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import type { Machine } from './machine.ts'
import type { Life } from './virtual_time.ts'
import type { World } from './world.ts'

/** Where a step acts, and what the steps before it found. */
export interface Place {
  readonly world: World
  readonly machine: Machine
  readonly meta: HostMeta
  readonly tags: readonly string[]
  readonly registered: Record<string, unknown>
  /** Time passes; the power, or the agent, may end before it has. */
  readonly wait: (ms: number) => Promise<void>
  /** Somebody wants this converge to end after its current change. */
  readonly stopped: () => boolean
}

/** One task of role.yaml, as far as the pair's state goes. Between two of them everything may be cut. */
export interface Step {
  /** The task's name in the playbook; a test holds the two together. */
  readonly task: string
  readonly on: 'leader' | 'follower' | 'both'
  readonly tags: readonly string[]
  readonly needs: 'postgres' | 'nothing'
  /** @unit milliseconds */
  readonly atMostMs: number
  readonly when?: (place: Place) => boolean
  readonly act: (place: Place) => void | Promise<void>
}

/** What the engine reports as a failed task. */
export class Trouble extends Error {}

/** Who holds the lock is ended after this. @unit milliseconds */
const PATIENCE_MS = 3_000

interface Wanted {
  readonly meta: HostMeta
  readonly tags: readonly string[]
  readonly urgent: boolean
  readonly stop: AbortSignal
  readonly beforeUnlock?: (() => Promise<void>) | undefined
}

/** What one agent has asked for last: the host's lock lets one converge in at a time. */
const under = new WeakMap<Life, Promise<unknown>>()

/** The engine on one host: the steps with one of the asked tags, in their order, until one fails. */
export function converge(
  world: World,
  machine: Machine,
  life: Life,
  wanted: Wanted,
): Promise<ConvergeOutcome> {
  // As the agent's engine does it: whatever holds the lock, or is ending (A8).
  if (wanted.tags.includes('impair')) machine.stopServing()
  const last = under.get(life) ?? Promise.resolve()
  const turn = last.then(() => walk(world, machine, life, wanted))
  under.set(
    life,
    turn.catch(() => undefined),
  )
  return turn
}

async function walk(
  world: World,
  machine: Machine,
  life: Life,
  wanted: Wanted,
): Promise<ConvergeOutcome> {
  const { time, random } = world
  const { meta, tags, urgent, stop } = wanted
  const wait = (ms: number) => time.sleep(ms, life)
  const held = machine.lockedUntil - time.now
  if (held > 0 && !urgent) return { kind: 'locked', by: 'a converge of the laptop' }
  if (held > 0) {
    await wait(Math.min(held, PATIENCE_MS))
    machine.lockedUntil = 0
  }
  const part = meta.leader === machine.name ? 'leader' : 'follower'
  const stopped = () => stop.aborted
  const place: Place = { world, machine, meta, tags, registered: {}, wait, stopped }
  for (const step of world.sequence) {
    if (step.on !== 'both' && step.on !== part) continue
    if (!step.tags.some((tag) => tags.includes(tag))) continue
    if (step.when !== undefined && !step.when(place)) continue
    if (stop.aborted) return { kind: 'stopped' }
    await wait(random.between(1, step.atMostMs))
    try {
      if (step.needs === 'postgres' && !machine.postgres.up)
        throw new Trouble('PostgreSQL takes no connection')
      await step.act(place)
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      const { registered } = place
      return { kind: 'failed', task: step.task, message: error.message, registered }
    }
  }
  await wanted.beforeUnlock?.()
  return { kind: 'done', changed: 1, registered: place.registered }
}
