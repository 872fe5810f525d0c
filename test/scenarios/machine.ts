import type { HostMeta } from '../../src/pair/host_meta.ts'
import type { Proof } from '../../src/agent/ports.ts'
import type { Kine } from './clients.ts'
import { Disk } from './disk.ts'
import { Postgres } from './postgres.ts'
import { Reading } from './reading.ts'
import { type Agent, FILES, NO_PROOF } from './running_agent.ts'
import type { Life } from './virtual_time.ts'
import type { World } from './world.ts'

/** systemd's RestartSec, and what a bundle takes to start. @unit milliseconds */
const AGENT_START_MS = { low: 600, high: 1_800 }

/** An agent that says nothing for so long is ended by its watchdog. @unit milliseconds */
const WATCHDOG_MS = 10_000

/** One that is back within a late round goes on where the last one ended (A8): at least so long. */
const LATE_MS = 3_000

/** One host: power, disk, PostgreSQL, kine, virtual address, and the agent on it. */
export class Machine {
  readonly name: string
  readonly peerName: string
  readonly disk: Disk
  readonly postgres: Postgres
  readonly kine: Kine
  readonly reads: Reading
  agent: Agent | null = null
  powered = false
  frozen: 'no' | 'processes' | 'all' = 'no'
  boots = 0
  bootedAt = 0
  /** What this host's crystal makes of a millisecond. */
  readonly rate: number
  /** The wall clock lies by so much. @unit milliseconds */
  wallOffsetMs = 0
  virtualIp = false
  /** PostgreSQL stays down: it can't be started. */
  postgresHeld = false
  /** The agent stays dead: its unit is gone. */
  agentMasked = false
  /** A converge of the laptop holds the host's lock until then. */
  lockedUntil = 0
  /** The agent's last look heard its peer's agent. */
  heardPeer = false
  /** The peer was last asked to void its proof in vain. */
  voidRefused = false
  /** Since when the agent has had neither its peer nor a gateway; null: it has one of them. */
  cutOffSince: number | null = null
  /** When the agent was started, or thawed. */
  agentWellSince = 0
  #agentGoneSince = 0
  /** The agent before this one had heard its peer, and did not hang. */
  #heardBefore = false
  /** When this host's agent was last alive, by its own clock; null: not since the boot. */
  lastBeatAt: number | null = null
  /** kine's permit: it is taken away by whoever stops kine, and not by a crash. */
  mayRunKine = false
  /** Infinity: it is not. */
  pausedSince = Infinity
  readonly #world: World

  constructor(world: World, name: string, peerName: string) {
    this.#world = world
    this.name = name
    this.peerName = peerName
    this.disk = new Disk(world.time)
    this.postgres = new Postgres(world.time, this.disk)
    this.kine = { life: { alive: false, frozen: null }, running: false, endpoint: name }
    this.reads = new Reading(name, () => world.startReader(this))
    this.rate = 1 + (world.random.next() - 0.5) * 2e-4
  }

  get meta(): HostMeta | null {
    return this.disk.durable<HostMeta | null>(FILES.meta, null)
  }

  get proof(): Proof {
    return this.disk.durable(FILES.proof, NO_PROOF)
  }

  get paused(): boolean {
    return this.disk.read(FILES.paused, false)
  }

  pause(paused: boolean): void {
    this.disk.put(FILES.paused, paused)
    this.pausedSince = paused ? this.#world.time.now : Infinity
  }

  /** Takes writes: of its own kine, at least. */
  get serves(): boolean {
    const { postgres, kine } = this
    return (
      postgres.up &&
      !postgres.fence &&
      kine.running &&
      kine.life.frozen === null &&
      kine.endpoint === this.name
    )
  }

  /** CLOCK_BOOTTIME of /proc/uptime, which counts hundredths of a second. @unit milliseconds */
  bootTime(at: number): number {
    return Math.floor(((at - this.bootedAt) * this.rate) / 10) * 10
  }

  /** Its agent runs, and has for long enough to know what it sees. */
  get watches(): boolean {
    const { agent } = this
    if (agent === null || agent.life.frozen !== null) return false
    return this.#world.time.now - this.agentWellSince > 10_000
  }

  /** Its kernel answers. */
  get answersPing(): boolean {
    return this.powered && this.frozen !== 'all'
  }

  powerOn(): void {
    if (this.powered) return
    const { time, random } = this.#world
    this.powered = true
    this.boots++
    this.bootedAt = time.now - random.between(3_000, 9_000)
    this.#agentGoneSince = time.now
    this.#heardBefore = false
    this.lastBeatAt = null
    if (!this.postgresHeld) this.postgres.start(random.between(300, 3_000))
    this.startAgent()
  }

  powerOff(): void {
    if (!this.powered) return
    this.thaw()
    this.powered = false
    this.#endAgent()
    this.killKine()
    this.reads.end()
    this.virtualIp = false
    this.postgres.stop()
    this.disk.loseUnsynced()
  }

  /** Another box of its name, that the leader has let in: it knows hostMeta, and has no data (B10). */
  powerOnNewBox(meta: HostMeta): void {
    this.disk.format()
    this.disk.put(FILES.meta, meta)
    this.postgres.format()
    this.powerOn()
  }

  startAgent(): void {
    if (!this.powered || this.agentMasked || this.agent !== null) return
    const { time, random } = this.#world
    const life: Life = { alive: true, frozen: null }
    const { low, high } = AGENT_START_MS
    const boot = this.boots
    time.after(random.between(low, high), life, () => {
      if (!this.powered || this.boots !== boot || this.agent !== null || this.agentMasked) return
      this.#world.story.tell(this.name, 'agent starts')
      const agent: Agent = {
        life,
        core: this.#world.agentOn(this, life),
        heardPaired: 0,
        heardPeer: this.#heardBefore && this.mayRunKine && this.#agentAway() < LATE_MS,
      }
      this.agent = agent
      this.agentWellSince = time.now
      if (this.frozen !== 'no') life.frozen = []
      time.wake(() => undefined)
    })
  }

  /** @unit milliseconds */
  #agentAway(): number {
    return this.#world.time.now - this.#agentGoneSince
  }

  killAgent(): void {
    if (this.agent === null) return
    this.#endAgent()
    this.startAgent()
  }

  #endAgent(): void {
    if (this.agent === null) return
    // One that hung had been silent for longer.
    this.lastBeatAt = this.agent.life.frozen === null ? this.bootTime(this.#world.time.now) : null
    this.#heardBefore = this.agent.heardPeer && this.agent.life.frozen === null
    this.agent.life.alive = false
    this.agent.life.frozen = null
    this.#world.end(this.agent.life)
    this.agent = null
    this.heardPeer = false
    this.#agentGoneSince = this.#world.time.now
  }

  /** The agent alone stops; its watchdog ends it. */
  hangAgent(): void {
    const { agent } = this
    if (agent === null || agent.life.frozen !== null || this.frozen !== 'no') return
    agent.life.frozen = []
    this.#agentGoneSince = this.#world.time.now
    this.#world.time.after(WATCHDOG_MS, agent.life, () => undefined)
    this.#world.later(WATCHDOG_MS, () => {
      if (this.agent === agent && this.frozen === 'no') this.killAgent()
    })
  }

  freeze(kind: 'processes' | 'all'): void {
    if (!this.powered || this.frozen !== 'no') return
    this.frozen = kind
    for (const life of this.#lives()) life.frozen ??= []
  }

  thaw(): void {
    if (this.frozen === 'no') return
    this.frozen = 'no'
    this.agentWellSince = this.#world.time.now
    for (const life of this.#lives()) this.#world.time.thaw(life)
  }

  maskAgent(masked: boolean): void {
    this.agentMasked = masked
    if (!masked) this.startAgent()
  }

  /** It can't be started until it is repaired; nothing of it is lost. */
  holdPostgres(held: boolean): void {
    this.postgresHeld = held
    if (held && this.powered) this.postgres.stop()
  }

  /** It dies by itself; systemd starts it again, unless somebody has stopped it since. */
  crashKine(): void {
    const { endpoint, running } = this.kine
    if (!running) return
    this.killKine()
    const { life } = this.kine
    this.#world.later(this.#world.random.between(300, 2_000), () => {
      if (this.kine.life === life && this.powered && this.mayRunKine) this.startKine(endpoint)
    })
    this.mayRunKine = true
  }

  startKine(endpoint: string): void {
    if (this.kine.running && this.kine.endpoint === endpoint) return
    this.killKine()
    // systemd lets the two never run beside each other.
    this.reads.end()
    this.kine.life = { alive: true, frozen: null }
    this.kine.endpoint = endpoint
    this.kine.running = true
    this.mayRunKine = true
  }

  /** Its backends in PostgreSQL go on (A7). */
  killKine(): void {
    this.kine.life.alive = false
    this.kine.running = false
    this.mayRunKine = false
  }

  /** What an agent does first where its host must take no writes (A8). */
  stopServing(): void {
    this.killKine()
    this.reads.end()
  }

  /** B9: without an agent for the fence time, a unit stops kine and the virtual address. */
  watchAgent(fenceMs: number): void {
    const gone = this.agent === null || this.agent.life.frozen !== null
    if (!this.powered || this.frozen !== 'no' || !gone) return
    if (this.#agentAway() <= fenceMs) return
    this.stopServing()
    this.virtualIp = false
  }

  /** Could it promote itself by the rules, now or later without a word from its leader? */
  mayPromote(): boolean {
    const { term, voided } = this.proof
    if (term <= voided || this.agent === null) return false
    // For another term it proves nothing.
    if (this.meta?.term !== term || this.meta.leader === this.name) return false
    if (this.agent.heardPaired !== term) return false
    if (this.postgres.subscription?.state !== 'ready') return false
    const { cutOffSince } = this
    // The claim says what a doubt is about (A4), and no leader goes alone beside a follower that runs.
    if (this.#world.policy !== 'availability') return true
    return cutOffSince === null || this.#world.time.now - cutOffSince < 6_000
  }

  #lives(): Life[] {
    const agent = this.agent === null ? [] : [this.agent.life]
    return [this.postgres.life, this.kine.life, this.reads.life, ...agent].filter(
      ({ alive }) => alive,
    )
  }
}
