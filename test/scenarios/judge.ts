import type { Proof } from '../../src/agent/ports.ts'
import { compareHostMeta, type HostMeta, sameHostMeta } from '../../src/pair/host_meta.ts'
import type { Machine } from './machine.ts'
import type { Transaction } from './postgres.ts'
import type { Row } from './table.ts'
import type { World } from './world.ts'

/** An invariant that does not hold: what the simulator looks for. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Two that lead and have heard of each other must have become one within this. @unit milliseconds */
const CONTACT_BOUND_MS = 6_000

/** What was lost at random is made good within this. @unit milliseconds */
const BLUR_MS = 5_000

/** A pause that comes within a round is seen by the next one. @unit milliseconds */
const PAUSE_MS = 2_000

/** What must hold at each step, and what it needs to remember for it. */
export class Judge {
  readonly acknowledged: Row[] = []
  readonly #world: World
  readonly #seen = new Map<string, number>()
  /** Hosts that went alone while their peer was silent, or could not void: the policy's price. */
  readonly #aloneInSilence = new Set<string>()
  readonly #modeOf = new Map<string, string>()
  readonly #branchOf = new Map<string, number>()
  readonly #ledIn = new Map<number, string>()
  /** An operator has said: lead, whatever the peer may have. */
  forcedUntil = 0
  readonly #servedSince = new Map<string, number>()
  /** A host leads by force, and the other may not know it yet. */
  #forced = false
  #bothServeSince: number | null = null

  constructor(world: World) {
    this.#world = world
  }

  /** A leader has answered for a write; `heard`: its client got the answer. */
  acknowledge(transaction: Transaction, by: string, heard: boolean): void {
    if (!heard) return
    this.#world.story.acknowledged(by)
    const { row } = transaction
    const leader = this.#world.machine(by)
    const peer = this.#world.machine(leader.peerName)
    const onPeer = isOnDisk(row, peer)
    const supplanted = leads(peer) && !isAbove(leader.meta, peer.meta)
    const rival = (peer.mayPromote() && this.#claimLets(peer)) || supplanted
    if (!onPeer && rival && !this.#forced && !this.#aloneInSilence.has(by))
      this.#fail(
        `${by} acknowledged revision ${row.id}, which ${peer.name} lacks and could lead without`,
      )
    row.acknowledged = true
    row.guarded = onPeer ? !supplanted : !rival
    this.acknowledged.push(row)
  }

  /** By what answers reads on a host that waits to know its role (A5). */
  wroteWhileWaiting({ name }: Machine): void {
    this.#fail(`${name} waits to know its role, and acknowledged a write`)
  }

  read(client: string, revision: number): void {
    const seen = this.#seen.get(client) ?? 0
    if (revision < seen && !this.#forced)
      this.#fail(`a client on ${client} saw revision ${seen}, and now the last one is ${revision}`)
    this.#seen.set(client, revision)
  }

  metaWritten(machine: Machine, meta: HostMeta): void {
    const { name } = machine
    const before = this.#branchOf.get(name) ?? 1
    this.#branchOf.set(name, meta.branch)
    if (meta.leader !== name) return
    const mode = `${meta.mode} ${meta.branch}`
    if (this.#modeOf.get(name) !== mode) {
      this.#modeOf.set(name, mode)
      this.#aloneInSilence.delete(name)
      if (meta.mode === 'alone' && this.#mayGoAlone(machine)) this.#aloneInSilence.add(name)
      // Where nobody goes alone by itself an operator's word may go against a claim, or another host's lead.
      const forced = this.#world.time.now < this.forcedUntil
      if (meta.mode === 'alone' && forced && this.#world.policy !== 'availability')
        this.#forced = true
    }
    if (meta.branch > before) this.#promoted(machine, meta)
  }

  /** A leader that stood still takes writes again: as with a promotion, it must have what others acknowledged. */
  recovers(machine: Machine): void {
    // Who went alone in silence may miss what its peer acknowledged: the policy's price.
    if (this.#world.time.now < this.forcedUntil || this.#forced) return
    if (this.#aloneInSilence.has(machine.name)) return
    const missing = this.#missingOn(machine)
    if (missing.length > 0) this.#fail(`${machine.name} leads again without ${revisions(missing)}`)
  }

  proofWritten(machine: Machine, { term, voided }: Proof): void {
    // While its table is copied its proof counts for nothing.
    if (term <= voided || machine.postgres.subscription?.state !== 'ready') return
    const missing = this.#missingOn(machine)
    if (missing.length > 0)
      this.#fail(`${machine.name} has a proof for term ${term}, and lacks ${revisions(missing)}`)
  }

  /** Every now and then: what is true of both hosts at once. */
  look(): void {
    const { machines, time } = this.#world
    if (this.#forced && time.now > this.forcedUntil) this.#forced = !this.#agree()
    for (const { name, reads, postgres } of machines)
      if (reads.running && !postgres.fence) this.#fail(`${name} waits, and its table is not fenced`)
    const serving = machines.filter(({ serves }) => serves)
    for (const machine of machines) if (!machine.serves) this.#servedSince.delete(machine.name)
    for (const machine of serving) this.#timerLaw(machine)
    for (const machine of serving) this.#leadsItsTerm(machine)
    if (serving.length < 2 || machines.some(({ paused }) => paused)) {
      this.#bothServeSince = null
      return
    }
    // What was heard once, before a cut, is no contact.
    if (machines.some(({ heardPeer }) => !heardPeer)) this.#bothServeSince = time.now
    this.#bothServeSince ??= time.now
    if (time.now - this.#bothServeSince > CONTACT_BOUND_MS)
      this.#fail('both hosts lead, though they hear each other')
  }

  /** Nothing acknowledged is dropped in silence: it is in a table, or in one that was moved aside. */
  nothingDropped(): void {
    const tables = this.#world.machines.flatMap(({ postgres }) => [
      postgres.table,
      ...postgres.kept,
    ])
    const gone = this.acknowledged.filter((row) => !tables.some((table) => table.has(row)))
    if (gone.length > 0) this.#fail(`no host has ${revisions(gone)} any more`)
  }

  /** Null: both are well and say the same; otherwise what is not. */
  complaint(): string | null {
    const [a, b] = this.#world.machines
    if (!a.powered || !b.powered) return 'a host is off'
    if (a.meta === null || b.meta === null) return 'a host has no hostMeta'
    if (!sameHostMeta(a.meta, b.meta)) return 'the two hostMetas differ'
    const leader = this.#world.machine(a.meta.leader)
    const follower = this.#world.machine(leader.peerName)
    if (a.meta.mode !== 'paired') return 'the leader is alone'
    if (!leader.serves) return 'the leader does not serve'
    if (!leader.postgres.synchronous) return 'the leader does not wait for its follower'
    const { subscription } = follower.postgres
    if (subscription?.slot !== a.meta.slot || subscription?.state !== 'ready')
      return 'the follower does not follow'
    const { term, voided } = follower.proof
    if (term !== a.meta.term || term <= voided) return 'the follower has no proof'
    const { kine } = follower
    if (!kine.running || kine.endpoint !== leader.name) return "the follower's kine is not up"
    const { claim } = this.#world.witness
    const isTrue = claim?.term === a.meta.term && claim.holder === leader.name
    return isTrue || this.#world.policy !== 'consistency' ? null : 'the claim is not true'
  }

  /** At the end, when nothing is under way: who follows has what its leader has. */
  bothHaveTheSame(): void {
    const [a, b] = this.#world.machines
    const missing = a.postgres.table.without(b.postgres.table)
    const more = b.postgres.table.without(a.postgres.table)
    if (missing.length + more.length > 0)
      this.#fail(
        `the tables differ: ${a.name} alone has ${revisions(missing)}, ${b.name} alone ${revisions(more)}`,
      )
    if (this.lost() > 0) this.#fail(`${this.lost()} acknowledged writes are lost`)
  }

  /** Guarded writes that the leader lacks. */
  lost(): number {
    const [{ meta, name }] = this.#world.machines
    const { table } = this.#world.machine(meta?.leader ?? name).postgres
    return this.acknowledged.filter((row) => row.guarded && !table.has(row)).length
  }

  #missingOn(machine: Machine): readonly Row[] {
    return this.acknowledged.filter((row) => row.guarded && !isOnDisk(row, machine))
  }

  #promoted(machine: Machine, meta: HostMeta): void {
    const { now } = this.#world.time
    const forced = now < this.forcedUntil
    if (forced) this.#forced = true
    if (meta.began === 'promotion')
      this.#hasStopped(this.#world.machine(machine.peerName), 'promotes itself to take writes')
    // It may lead from far behind what the clients of the other one have seen.
    if (forced) this.#seen.clear()
    if (machine.pausedSince + PAUSE_MS < now && !forced && meta.began === 'promotion')
      this.#fail(`${machine.name} is paused, and promotes itself`)
    const missing = this.#missingOn(machine)
    if (missing.length === 0) return
    if (!forced) this.#fail(`${machine.name} takes the lead without ${revisions(missing)}`)
    // An operator's word: what the other one had is given up.
    for (const row of missing) row.guarded = false
  }

  /**
   * A leader that has lost its gateway, and with or after it its peer, has stopped before its follower
   * takes writes: the law of the two timers.
   */
  #timerLaw(machine: Machine): void {
    const { time, machines } = this.#world
    const began = !this.#servedSince.has(machine.name)
    this.#servedSince.set(machine.name, time.now)
    if (began)
      this.#hasStopped(
        machines.find((other) => other !== machine),
        'takes writes',
      )
  }

  /** The other one that was cut off from all: its fence precedes what is done here. */
  #hasStopped(old: Machine | undefined, meanwhile: string): void {
    const { network, time } = this.#world
    if (old?.serves !== true || time.now < this.forcedUntil) return
    const gatewayLostAt = network.gatewayLostAt.get(old.name)
    const { peerLostAt, blurredAt, loss, delayMs } = network
    // What a lossy link lets through may be heard by one of them alone.
    if (loss > 0 || delayMs > 0 || (peerLostAt ?? 0) < blurredAt + BLUR_MS) return
    if (peerLostAt === null || gatewayLostAt === undefined || gatewayLostAt > peerLostAt) return
    if (old.meta?.mode !== 'paired' || !old.watches) return
    this.#fail(`${old.peerName} ${meanwhile} while ${old.name}, cut off from all, takes them still`)
  }

  /** In silence, or when the peer can't void; and only who has heard it since it was started (A5), or the one before it. */
  #mayGoAlone({ agent, heardPeer, voidRefused }: Machine): boolean {
    if (this.#world.time.now < this.forcedUntil) return true
    // Under consistency silence is no excuse (A4).
    if (this.#world.policy !== 'availability') return false
    return agent?.heardPeer === true && (!heardPeer || voidRefused)
  }

  #agree(): boolean {
    const [a, b] = this.#world.machines
    return a.meta !== null && b.meta !== null && compareHostMeta(a.meta, b.meta) === 0
  }

  /** It could win the claim, now or when the witness answers. */
  #claimLets({ name, meta }: Machine): boolean {
    const { policy, witness, time } = this.#world
    if (policy !== 'consistency') return true
    // What an operator's word has moved is the operator's.
    if (time.now < this.forcedUntil) return false
    const { claim } = witness
    if (claim === null || meta === null) return false
    return claim.term <= meta.term || (claim.holder === name && claim.mode === 'alone')
  }

  #leadsItsTerm({ name, meta }: Machine): void {
    if (this.#world.policy === 'availability' || meta === null || this.#forced) return
    const led = this.#ledIn.get(meta.term) ?? name
    if (led !== name) this.#fail(`${led} and ${name} both led in term ${meta.term}`)
    this.#ledIn.set(meta.term, name)
  }

  violation(message: string): Violation {
    this.#world.story.tell('!!', message, true)
    const violation = new Violation(message)
    // An agent catches what its ports throw: the run must end nevertheless.
    this.#world.time.fail(violation)
    return violation
  }

  #fail(message: string): never {
    throw this.violation(message)
  }
}

function isOnDisk(row: Row, { postgres }: Machine): boolean {
  if (!postgres.table.has(row)) return false
  return postgres.subscription?.unflushed.includes(row) !== true
}

function leads({ name, meta }: Machine): boolean {
  return meta?.leader === name
}

function isAbove(meta: HostMeta | null, other: HostMeta | null): boolean {
  return meta !== null && other !== null && compareHostMeta(meta, other) > 0
}

function revisions(rows: readonly Row[]): string {
  const shown = rows.slice(0, 5).map(({ id }) => String(id))
  const rest = rows.length - shown.length
  return `${rows.length} revisions (${shown.join(', ')}${rest > 0 ? ', …' : ''})`
}
