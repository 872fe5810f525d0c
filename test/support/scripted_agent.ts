import { AgentCore } from '../../src/agent/core.ts'
import type {
  ConvergeOutcome,
  HandOverAnswer,
  HandOverRequest,
  HeardSince,
  Note,
  Ports,
  Proof,
  Sighting,
} from '../../src/agent/ports.ts'
import type { Policy } from '../../src/pair/facts.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { timingOf } from '../../src/pair/timing.ts'
import { NOTHING_SEEN } from './agent_sightings.ts'

/** A clock that stands still until it is moved. */
export class ManualClock {
  time = 1_000_000
  #sleepers: { readonly at: number; readonly wake: () => void }[] = []

  now(): number {
    return this.time
  }

  wallTime(): string {
    return new Date(Date.UTC(2026, 0, 1) + this.time).toISOString()
  }

  sleep(ms: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.#sleepers.push({ at: this.time + ms, wake: resolve })
      stop.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** When the next sleeper wakes. */
  next(): number | null {
    return this.#sleepers.length === 0 ? null : Math.min(...this.#sleepers.map(({ at }) => at))
  }

  move(ms: number): void {
    this.time += ms
    const due = this.#sleepers.filter(({ at }) => at <= this.time)
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.time)
    for (const { wake } of due) wake()
  }
}

/** What survives when an agent is cut: its disk. */
export interface Disk {
  meta: HostMeta | null
  fault: string | null
  proof: Proof
  initialised: boolean
  paused: boolean
  changes: readonly number[]
  differs: string | null
}

type Wanted = Parameters<Ports['engine']['converge']>[0]

/** What is said, in order: every write, request and converge as a line. */
export type Log = string[]

/**
 * One host's ports. They refuse what they were not told: a request to a peer without an answer, a
 * converge without an outcome.
 */
export class ScriptedHost {
  readonly clock = new ManualClock()
  readonly log: Log = []
  readonly notes: Note[] = []
  /** Where its notes go beside. */
  journal: { note(entry: Note): void } | undefined
  readonly self: string
  disk: Disk
  sighting: Sighting
  /** Ends of converges by their first tag; a promise holds the converge. */
  converges: Record<
    string,
    (
      meta: HostMeta,
      stop: AbortSignal,
      told: Wanted['told'],
    ) => ConvergeOutcome | Promise<ConvergeOutcome>
  > = {}
  voids: ((term: number) => boolean | Promise<boolean>) | null = null
  handOvers: ((request: HandOverRequest) => HandOverAnswer | Promise<HandOverAnswer>) | null = null
  /** kine's permit is that of hostMeta. */
  permitted = true
  /** Those of its kines that use another database than its file names. */
  astray: readonly string[] = []
  readonly witness: Ports['witness']
  /** Taken when the agent starts. */
  power: Ports['power'] = null
  readonly heartbeat: { lastBeatAt: number | null } = { lastBeatAt: null }
  /** What the pings hear beside the looks. */
  heard: HeardSince = { gateway: null, peerPing: null }
  /** How long a look lasts; and how many there were. */
  lookMs = 0
  looks = 0
  /** Writes left until the power is cut. */
  writesLeft = Infinity
  /** What a write waits for before it reaches the disk; throws if the disk does. */
  disks: (line: string) => Promise<void> = () => Promise.resolve()
  core: AgentCore
  /** Resolves when the power is cut. */
  powerCut: Promise<void> = Promise.resolve()
  #cut: () => void = () => {}
  readonly #policy: Policy
  /** Taken when the agent starts. */
  restricts = false

  constructor(
    self: string,
    disk: Partial<Disk>,
    policy: Policy = { partition: 'availability', acceptLossBytes: 0 },
    witness: Ports['witness'] = null,
  ) {
    this.witness = witness
    this.self = self
    this.disk = {
      meta: null,
      fault: null,
      proof: { term: 0, voided: 0 },
      initialised: true,
      paused: false,
      changes: [],
      differs: null,
      ...disk,
    }
    this.#policy = policy
    this.sighting = { ...NOTHING_SEEN }
    this.core = this.#boot()
  }

  /** The power was cut: another agent on the same disk. */
  async reboot(): Promise<void> {
    this.writesLeft = Infinity
    this.core = this.#boot()
    await this.core.start()
  }

  /** `rounds` rounds, each with what it begins. */
  async rounds(count = 1, sighting?: Partial<Sighting>): Promise<void> {
    if (sighting !== undefined) this.sighting = { ...this.sighting, ...sighting }
    for (let i = 0; i < count; i++) {
      this.clock.move(1000)
      await this.core.round()
      await this.core.idle()
    }
  }

  get rule(): string {
    const last = this.notes.findLast((note) => note.kind === 'decision')
    return last?.kind === 'decision' ? last.rule : ''
  }

  #boot(): AgentCore {
    this.powerCut = new Promise((resolve) => (this.#cut = resolve))
    const settings = {
      self: this.self,
      timing: timingOf({ intervalMs: 1000, failures: 4 }),
      policy: this.#policy,
      restricts: this.restricts,
    }
    return new AgentCore(settings, this.#ports())
  }

  #ports(): Ports {
    return {
      clock: this.clock,
      sight: {
        look: async () => await this.#look(),
        heard: () => this.heard,
      },
      store: {
        readMeta: () => Promise.resolve({ meta: this.disk.meta, fault: this.disk.fault }),
        writeMeta: (meta) =>
          this.#write(`meta ${describe(meta)}`, () =>
            Object.assign(this.disk, { meta, fault: null }),
          ),
        readProof: () => Promise.resolve(this.disk.proof),
        writeProof: (proof) =>
          this.#write(`proof ${proof.term}, voided ${proof.voided}`, () =>
            Object.assign(this.disk, { proof }),
          ),
        isInitialised: () => Promise.resolve(this.disk.initialised),
        isPermitted: () => Promise.resolve(this.permitted),
        isPaused: () => Promise.resolve(this.disk.paused),
        readChanges: () => Promise.resolve(this.disk.changes),
        readDiffers: () => Promise.resolve(this.disk.differs),
        writeDiffers: (slot) => {
          this.disk.differs = slot
          return Promise.resolve()
        },
        writeChanges: (changes) => {
          this.disk.changes = changes
          return Promise.resolve()
        },
      },
      peer: {
        voidProof: async (term) => {
          if (this.voids === null) throw new Error(`nobody said that term ${term} may be voided`)
          const done = await this.voids(term)
          this.log.push(`peer voids ${term}: ${done ? 'yes' : 'no'}`)
          return done
        },
        handOver: async (request) => {
          this.log.push(`hand-over: ${request.phase} ${request.term}`)
          if (this.handOvers === null) throw new Error(`nobody answers ${request.phase}`)
          return await this.handOvers(request)
        },
      },
      site: {
        takeIn: async (old, { name, address }) => {
          await this.#write(`site ${old} -> ${name} ${address}`, () => {})
        },
      },
      engine: {
        stopServing: () => this.log.push('kine is killed'),
        converge: async ({ meta, tags, urgent, stop, told, beforeUnlock }) => {
          this.log.push(`converge ${tags.join(',')}${urgent ? ' urgent' : ''}`)
          const script = this.converges[tags[0] ?? '']
          if (script === undefined) throw new Error(`nobody said what ${tags.join(',')} does`)
          const outcome = await script(meta, stop, told)
          if (outcome.kind === 'done') await beforeUnlock?.()
          return outcome
        },
      },
      witness: this.witness,
      power: this.power,
      kine: { astray: () => Promise.resolve(this.astray) },
      heartbeat: this.heartbeat,
      note: (note) => {
        this.notes.push(note)
        this.journal?.note(note)
      },
    }
  }

  /** Answers are asked for when the look begins. */
  async #look(): Promise<Sighting> {
    this.looks += 1
    const sentAt = this.clock.now()
    if (this.lookMs > 0) await this.clock.sleep(this.lookMs, new AbortController().signal)
    const heard = { sentAt, arrivedAt: this.clock.now() }
    const { gateway, peerAgent, peerApi, peerPing } = this.sighting
    return {
      ...this.sighting,
      gateway: gateway === null || gateway === 'none' ? gateway : heard,
      peerAgent: peerAgent === null ? null : { ...peerAgent, ...heard },
      peerApi: peerApi === null ? null : heard,
      peerPing: peerPing === null ? null : heard,
    }
  }

  async #write(line: string, apply: () => unknown): Promise<void> {
    if (this.writesLeft <= 0) return await this.#dark()
    await this.disks(line)
    this.writesLeft -= 1
    apply()
    this.log.push(line)
    // Cut after the write: nothing of this agent goes on.
    if (this.writesLeft <= 0) await this.#dark()
  }

  #dark(): Promise<never> {
    this.#cut()
    return new Promise(() => {})
  }
}

function describe({ term, branch, mode, leader, slot, fork }: HostMeta): string {
  return `${term}/${branch} ${mode} ${leader} ${slot ?? '-'}${fork === null ? '' : ' forked'}`
}

export const DONE: ConvergeOutcome = { kind: 'done', changed: 1, registered: {} }
export const FAILED: ConvergeOutcome = { kind: 'failed', task: 'a task', message: 'it broke' }

/** A converge that waits for something, and ends when it is told to. */
export function untilStopped(_: unknown, stop: AbortSignal): Promise<ConvergeOutcome> {
  return new Promise((resolve) => {
    stop.addEventListener('abort', () => resolve({ kind: 'stopped' }))
  })
}
