import type { Heard, HeardSince } from '../../src/agent/ports.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { Life } from './virtual_time.ts'
import type { World } from './world.ts'

/** An agent's pings to its peer and its gateways, in a time of their own: twice in each round. */
export class Pings {
  readonly #world: World
  readonly #machine: Machine
  readonly #life: Life
  readonly #random: Random
  readonly #everyMs: number
  #peer: Heard | null = null
  #gateway: Heard | null = null

  constructor(world: World, machine: Machine, life: Life) {
    this.#world = world
    this.#machine = machine
    this.#life = life
    this.#random = world.random.fork(100 * machine.boots + world.machines.indexOf(machine) + 10)
    // A probe's bound is half an interval.
    this.#everyMs = world.probeBoundMs
    world.time.after(this.#random.between(0, this.#everyMs), life, () => this.#send())
  }

  /** The newest answers since the last `take`. */
  get heard(): HeardSince {
    return { peerPing: this.#peer, gateway: this.#gateway }
  }

  take(): HeardSince {
    const { heard } = this
    this.#peer = null
    this.#gateway = null
    return heard
  }

  #send(): void {
    const { time, network } = this.#world
    const machine = this.#machine
    time.after(this.#everyMs, this.#life, () => this.#send())
    const sentAt = machine.bootTime(time.now)
    if (network.gatewayAnswers(machine.name)) this.#gateway = { sentAt, arrivedAt: sentAt + 1 }
    const { name, peerName } = machine
    if (!network.passes(name, peerName, this.#random)) return
    const forthMs = network.wayMs(name, peerName, this.#random)
    const backMs = network.wayMs(peerName, name, this.#random)
    if (forthMs + backMs > this.#world.probeBoundMs) return
    this.#world.later(forthMs, () => {
      const { answersPing } = this.#world.machine(peerName)
      if (!answersPing || !network.passes(peerName, name, this.#random)) return
      time.after(backMs, this.#life, () => {
        this.#peer = { sentAt, arrivedAt: machine.bootTime(time.now) }
      })
    })
  }
}
