import type { HostMeta } from '../../src/pair/host_meta.ts'
import { portsOf } from './agent_ports.ts'
import { Client } from './clients.ts'
import type { Step } from './engine.ts'
import { Judge } from './judge.ts'
import { Machine } from './machine.ts'
import { FILES, type Partition, type RunningAgent, type StartAgent } from './running_agent.ts'
import { Network } from './network.ts'
import { type Random, randomOf } from './random.ts'
import { SimPower } from './power.ts'
import { Replication } from './replication.ts'
import { RULES, SEQUENCE, type SequenceRules } from './sequences.ts'
import { Story } from './story.ts'
import { type Life, VirtualTime } from './virtual_time.ts'
import { SimWitness } from './witness.ts'

export interface WorldSettings {
  readonly seed: number
  readonly startAgent: StartAgent
  readonly told?: boolean
  /** Default: availability. */
  readonly partition?: Partition
  readonly sequence?: readonly Step[]
  readonly rules?: Partial<SequenceRules>
  /** Mean time between two writes of one host's clients. @unit milliseconds */
  readonly writeEveryMs?: number
  /** An agent's probe that takes longer has no answer. Default: half of a second's interval. @unit milliseconds */
  readonly probeBoundMs?: number
}

/** What the rest of the world does by itself, every so often. @unit milliseconds */
const HEARTBEAT_MS = 250

/** After this without an agent, kine is stopped (B9): the fence time of the default timing. */
const FENCE_MS = 3_000

/** Two hosts, the network between them, clients on both, and one clock for all. */
export class World {
  readonly time = new VirtualTime()
  readonly random: Random
  readonly network: Network
  readonly story: Story
  readonly judge: Judge
  readonly machines: readonly [Machine, Machine]
  readonly clients: readonly [Client, Client]
  readonly sequence: readonly Step[]
  readonly rules: SequenceRules
  readonly policy: Partition
  readonly witness: SimWitness
  readonly power: SimPower
  /** Agents that wait: a signal keeps its listeners alive, and they the world, until they are forgotten. */
  readonly asleep = new Set<{ readonly life: Life; readonly forget: () => void }>()
  readonly #life: Life = { alive: true, frozen: null }
  readonly #replications: Readonly<Record<string, Replication>>
  readonly probeBoundMs: number
  readonly #writeEveryMs: number
  readonly #startAgent: StartAgent

  constructor(settings: WorldSettings) {
    this.random = randomOf(settings.seed)
    this.network = new Network(this.random.fork(1))
    this.policy = settings.partition ?? 'availability'
    this.witness = new SimWitness(this.time, this.random.fork(4))
    this.power = new SimPower(this.time, this.random.fork(5))
    this.story = new Story(this.time, settings.told ?? false)
    this.judge = new Judge(this)
    this.sequence = settings.sequence ?? SEQUENCE
    this.rules = { ...RULES, ...settings.rules }
    this.#startAgent = settings.startAgent
    this.#writeEveryMs = settings.writeEveryMs ?? 400
    this.probeBoundMs = settings.probeBoundMs ?? 500
    const [h1, h2] = [new Machine(this, 'h1', 'h2'), new Machine(this, 'h2', 'h1')]
    this.machines = [h1, h2]
    this.#replications = {
      h1: new Replication(this, h1, h2),
      h2: new Replication(this, h2, h1),
    }
    this.clients = [this.#clientOn(h1), this.#clientOn(h2)]
    this.#pairUp(h1, h2)
  }

  machine(name: string): Machine {
    return this.machines[0].name === name ? this.machines[0] : this.machines[1]
  }

  /** Something outside of both hosts happens in a while. */
  later(ms: number, act: () => void): void {
    this.time.after(ms, this.#life, act)
  }

  /** Both hosts are switched on, a converged pair in term 2, and clients write. */
  start(): void {
    for (const machine of this.machines) machine.powerOn()
    for (const client of this.clients) client.start(this.#writeEveryMs)
    const beat = () => {
      this.later(HEARTBEAT_MS, () => {
        for (const machine of this.machines) {
          machine.watchAgent(FENCE_MS)
          this.#tend(machine)
        }
        this.judge.look()
        beat()
      })
    }
    beat()
  }

  agentOn(machine: Machine, life: Life): RunningAgent {
    return this.#startAgent(portsOf(this, machine, life), machine.name, this.policy)
  }

  /** The subscription of this host is to go, in the middle of its copy or not. */
  endCopy({ peerName }: Machine): void {
    this.#replications[peerName]?.endCopy()
  }

  /** Nothing comes after this: what waits is forgotten, of one life or of all. */
  end(life?: Life): void {
    for (const sleeper of this.asleep) {
      if (life !== undefined && sleeper.life !== life) continue
      sleeper.forget()
      this.asleep.delete(sleeper)
    }
  }

  #tend({ name, postgres }: Machine): void {
    this.#replications[name]?.pump()
    if (postgres.state === 'down' && this.machine(name).powered && !this.machine(name).postgresHeld)
      postgres.start(this.random.between(300, 2_000))
    for (const slot of postgres.slots.values())
      if (this.random.chance(0.05)) slot.persisted = slot.confirmed
  }

  #clientOn(machine: Machine): Client {
    const world = {
      time: this.time,
      network: this.network,
      random: this.random.fork(machine.name === 'h1' ? 2 : 3),
      postgresOf: (host: string) => this.machine(host).postgres,
      judge: this.judge,
      committed: (host: string) => this.#replications[host]?.pump(),
    }
    return new Client(world, machine.name, machine.kine)
  }

  /** A client of what answers reads on a host that waits: it tries to write as well. What it reads may be old. */
  startReader(machine: Machine): Client {
    const world = {
      time: this.time,
      network: this.network,
      random: this.random.fork(machine.name === 'h1' ? 6 : 7),
      postgresOf: (host: string) => this.machine(host).postgres,
      judge: { acknowledge: () => this.judge.wroteWhileWaiting(machine), read: () => undefined },
      committed: () => undefined,
    }
    const reader = new Client(world, machine.name, machine.reads)
    reader.start(this.#writeEveryMs)
    return reader
  }

  /** What the laptop's first converge leaves behind: h1 leads, paired in term 2. */
  #pairUp(leader: Machine, follower: Machine): void {
    const slot = `${follower.name}_1_1`
    const meta = firstMeta(leader.name, follower.name, slot)
    const marker = { branch: 1, fork: null }
    leader.postgres.insert({ id: 1, marker, acknowledged: false, guarded: false })
    for (const row of leader.postgres.table.rows) {
      follower.postgres.table.add(row)
      follower.postgres.log.push(row)
    }
    leader.postgres.slots.set(slot, {
      confirmed: 1,
      persisted: 1,
      activeUntil: 0,
      streaming: false,
      lost: false,
    })
    leader.postgres.madeSlots.add(slot)
    leader.postgres.synchronous = true
    follower.postgres.fence = true
    follower.postgres.subscription = {
      slot,
      enabled: true,
      state: 'ready',
      position: 1,
      flushed: 1,
      unflushed: [],
      copyFrom: null,
      copyUntil: null,
      conflict: false,
      workerAlive: true,
      errors: 0,
      started: true,
    }
    follower.kine.endpoint = leader.name
    for (const machine of this.machines) machine.disk.put(FILES.meta, meta)
    follower.disk.put(FILES.proof, { term: 2, voided: 0 })
  }
}

function firstMeta(leader: string, follower: string, slot: string): HostMeta {
  return {
    format: 1,
    site: 'sim',
    term: 2,
    branch: 1,
    mode: 'paired',
    leader,
    slot,
    began: 'first',
    fork: null,
    hosts: [
      { name: leader, address: '10.77.0.11', role: 'leader' },
      { name: follower, address: '10.77.0.12', role: 'follower' },
    ],
    controlPlaneEndpoint: '10.77.0.10:6443',
    lastModified: '2026-01-01T00:00:00.000Z',
  }
}
