import type {
  Heard,
  HandOverAnswer,
  HandOverRequest,
  HeardSince,
  PeerAnswer,
  Ports,
  PostgresSighting,
  Sighting,
} from '../../src/agent/ports.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import type { Machine } from './machine.ts'
import { Pings } from './pings.ts'
import { copiedOf } from './replication.ts'
import { FILES, NO_PROOF, type RunningAgent } from './running_agent.ts'
import { converge } from './engine.ts'
import type { Life } from './virtual_time.ts'
import type { World } from './world.ts'

/** What the probe says of an empty table that nothing fills. */
const NOTHING_COPIED = {
  slot: null,
  enabled: false,
  ready: false,
  copied: null,
  workerAlive: false,
  errors: 0,
}

/** Almost full (`src/pair/disk_budget.ts`). */
const TIGHT_BYTES = 100e6

/** WAL of one commit that a slot keeps, so that some seconds of an unread slot keep much. */
const COMMIT_BYTES = 16e6

/** A request to the peer ends after this. @unit milliseconds */
const REQUEST_BOUND_MS = 2_000

/** What the core of an agent is given of the simulated world. */
export function portsOf(world: World, machine: Machine, life: Life): Ports {
  const { time, story } = world
  const bytesFree = () => (machine.disk.full ? 0 : machine.disk.tight ? TIGHT_BYTES : 1e10)
  const pings = new Pings(world, machine, life)
  return {
    clock: {
      now: () => machine.bootTime(time.now),
      sleep: (ms, stop) =>
        sleepUntil(world, life, { ms: Math.max(1, Math.ceil(ms / machine.rate)), stop }),
      wallTime: () =>
        new Date(Date.UTC(2026, 0, 1) + time.now + machine.wallOffsetMs).toISOString(),
    },
    sight: {
      look: ({ meta }) =>
        new Promise((resolve) => {
          look(world, { machine, life, pings }, (seen) =>
            resolve(sighting({ machine, world, meta, seen, freeBytes: bytesFree() })),
          )
        }),
      heard: () => pings.heard,
    },
    store: {
      readMeta: () =>
        Promise.resolve({
          meta: machine.disk.read<HostMeta | null>(FILES.meta, null),
          fault: null,
        }),
      writeMeta: async (meta) => {
        await machine.disk.write(FILES.meta, meta, life)
        world.judge.metaWritten(machine, meta)
      },
      readProof: () => Promise.resolve(machine.disk.read(FILES.proof, NO_PROOF)),
      writeProof: async (proof) => {
        await machine.disk.write(FILES.proof, proof, life)
        world.judge.proofWritten(machine, proof)
      },
      readDiffers: () => Promise.resolve(machine.disk.read<string | null>(FILES.differs, null)),
      writeDiffers: (slot) => machine.disk.write(FILES.differs, slot, life),
      writeChanges: (changes) => machine.disk.write(FILES.changes, changes, life),
      isInitialised: () => Promise.resolve(true),
      isPermitted: () => Promise.resolve(machine.mayRunKine),
      isPaused: () => Promise.resolve(machine.paused),
      readChanges: () => Promise.resolve(machine.disk.read<readonly number[]>(FILES.changes, [])),
    },
    peer: {
      voidProof: async (term) => {
        const ask = (core: RunningAgent) => core.voidProof(term)
        const acknowledged = await request<boolean>(world, machine, life, { none: false, ask })
        machine.voidRefused = !acknowledged
        return acknowledged
      },
      handOver: (asked: HandOverRequest) => {
        // From then on the peer leads by our word.
        if (asked.phase === 'back' && machine.agent !== null) machine.agent.heardPaired = 0
        return request<HandOverAnswer>(world, machine, life, {
          none: { ok: false, why: 'no answer', heard: false },
          ask: (core) => core.handOver(asked),
        })
      },
    },
    power:
      world.policy === 'power'
        ? world.power.portOf(machine.name, world.machine(machine.peerName), life)
        : null,
    witness: world.policy === 'consistency' ? world.witness.portOf(machine.name, life) : null,
    site: { takeIn: () => Promise.resolve() },
    engine: {
      converge: (wanted) => converge(world, machine, life, wanted),
      stopServing: () => machine.stopServing(),
    },
    kine: { astray: () => Promise.resolve([]) },
    heartbeat: { lastBeatAt: machine.lastBeatAt },
    note: (entry) => {
      story.note(machine.name, entry)
      if (entry.kind === 'decision' && entry.goal === 'recover') world.judge.recovers(machine)
    },
  }
}

function sleepUntil(
  world: World,
  life: Life,
  { ms, stop }: { ms: number; stop: AbortSignal },
): Promise<void> {
  const { time } = world
  return new Promise((resolve) => {
    if (stop.aborted) return resolve()
    const end = () => {
      if (!world.asleep.delete(sleeper)) return
      sleeper.forget()
      time.wake(resolve)
    }
    const sleeper = { life, forget: () => stop.removeEventListener('abort', end) }
    world.asleep.add(sleeper)
    stop.addEventListener('abort', end)
    time.after(ms, life, end)
  })
}

/** An agent that looks, on the machine and in the life of it in which it was started. */
interface Looker {
  readonly machine: Machine
  readonly life: Life
  readonly pings: Pings
}

interface Seen {
  agent: PeerAnswer | null
  api: Heard | null
  pings: HeardSince
}

/** All probes at once: the answers come back as the links and the peer's state on the way allow. */
function look(world: World, { machine, life, pings }: Looker, done: (seen: Seen) => void): void {
  const { time, network, random, probeBoundMs } = world
  const peer = world.machine(machine.peerName)
  const forthMs = network.wayMs(machine.name, peer.name)
  const bothWaysMs = forthMs + network.wayMs(peer.name, machine.name)
  const heard: Heard = {
    sentAt: machine.bootTime(time.now),
    arrivedAt: machine.bootTime(time.now + bothWaysMs),
  }
  const passes = () => network.passes(machine.name, peer.name)
  const asks = { agent: passes(), api: passes() }
  const seen: Seen = { agent: null, api: null, pings: pings.heard }
  world.later(forthMs, () => {
    const back = () => peer.answersPing && network.passes(peer.name, machine.name)
    if (asks.api && back()) seen.api = heard
    // A connection needs both ways; after that the answer alone may be lost.
    const asked = asks.agent && network.open(peer.name, machine.name)
    const answer = asked ? answerOf(peer, heard) : null
    if (answer !== null && back()) seen.agent = answer
  })
  const quick = asks.agent && peer.answersPing && network.open(peer.name, machine.name)
  const tookMs = quick ? bothWaysMs + random.between(1, 6) : probeBoundMs
  time.after(Math.min(tookMs, probeBoundMs), life, () => {
    if (bothWaysMs > probeBoundMs || !network.open(peer.name, machine.name)) {
      seen.agent = null
      seen.api = null
    }
    seen.pings = pings.take()
    remember(world, machine, seen)
    time.wake(() => done(seen))
  })
}

function answerOf(peer: Machine, heard: Heard): PeerAnswer | null {
  const { agent } = peer
  if (agent === null || agent.life.frozen !== null) return null
  return {
    ...agent.core.status(),
    ...heard,
    host: peer.name,
    bootId: `${peer.name}-${peer.boots}`,
  }
}

/** What the judge must know of what this agent knows. */
function remember({ time }: World, machine: Machine, seen: Seen): void {
  machine.heardPeer = seen.agent !== null
  if (seen.agent === null) {
    if (seen.pings.gateway === null) machine.cutOffSince ??= time.now
    return
  }
  machine.cutOffSince = null
  if (machine.agent !== null) machine.agent.heardPeer = true
  const { meta } = seen.agent
  if (machine.agent !== null && meta?.leader === machine.peerName)
    machine.agent.heardPaired = meta.mode === 'paired' ? meta.term : 0
}

function sighting(about: {
  machine: Machine
  world: World
  meta: HostMeta | null
  seen: Seen
  freeBytes: number
}): Sighting {
  const { machine, world, meta, seen, freeBytes } = about
  return {
    ...seen.pings,
    peerAgent: seen.agent,
    peerApi: seen.api,
    endpoint: null,
    script: null,
    postgres: postgresSighting(world, machine, meta),
    disk: { writable: !machine.disk.full, freeBytes },
    carrier: true,
    memoryPressure: 0,
  }
}

function postgresSighting(
  { time }: World,
  machine: Machine,
  meta: HostMeta | null,
): PostgresSighting {
  const { postgres } = machine
  if (!postgres.up)
    return { up: false, starting: postgres.state === 'starting', why: postgres.state }
  const slot = meta?.slot == null ? undefined : postgres.slots.get(meta.slot)
  const active = slot !== undefined && !slot.lost && slot.activeUntil > time.now
  const { subscription } = postgres
  return {
    up: true,
    leader: {
      oldestWaitMs: postgres.oldestWaitMs(),
      slot: slot === undefined ? 'missing' : slot.lost ? 'lost' : active ? 'active' : 'idle',
      streaming: active && slot.streaming,
      synchronous: postgres.synchronous,
      published: true,
      writtenBytes: postgres.log.length,
      flushedBytes: active ? slot.confirmed : null,
      keptBytes: slot === undefined ? 0 : (postgres.log.length - slot.confirmed) * COMMIT_BYTES,
      spareBytes: 0,
    },
    follower:
      subscription === null
        ? postgres.table.count === 0
          ? NOTHING_COPIED
          : null
        : {
            slot: subscription.slot,
            enabled: subscription.enabled,
            ready: subscription.state === 'ready',
            copied: copiedOf(subscription, time.now),
            workerAlive: subscription.workerAlive,
            errors: subscription.errors,
          },
  }
}

/** One question to the peer's agent; silence is an answer too. */
function request<T>(
  world: World,
  machine: Machine,
  life: Life,
  { none, ask }: { none: T; ask: (core: RunningAgent) => Promise<T> },
): Promise<T> {
  const { time, network } = world
  const peer = world.machine(machine.peerName)
  return new Promise((resolve) => {
    let done = false
    const end = (answer: T) => {
      if (done) return
      done = true
      time.wake(() => resolve(answer))
    }
    time.after(REQUEST_BOUND_MS, life, () => end(none))
    if (!network.open(machine.name, peer.name)) return
    world.later(network.wayMs(machine.name, peer.name), () => {
      const { agent } = peer
      if (!peer.powered || agent === null || agent.life.frozen !== null) return
      time.wake(() => undefined)
      void ask(agent.core).then((answer) => {
        if (!network.open(peer.name, machine.name)) return
        time.after(network.wayMs(peer.name, machine.name), life, () => end(answer))
      })
    })
  })
}
