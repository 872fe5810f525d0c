import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import { postgresOf } from '../core/site.ts'
import { again, type Hands, stopped, UpgradeHands, type UpgradeParts } from './upgrade_hands.ts'
import { bothOf, type LookedHost, named, whyNotBooted, whyNotReady } from './upgrade_look.ts'
import { isOnItsWay, oldClusterText, oldMajors, refuseMajorOn } from './upgrade_major.ts'
import {
  hasTurn,
  type HostWork,
  type NodeState,
  refuseDowngrades,
  stopsPostgres,
  type UpgradeWanted,
  upgradeText,
  type Work,
  workOf,
} from './upgrade_plan.ts'
import {
  bootTasks,
  drainTasks,
  listTasks,
  repairs,
  takeBackTasks,
  upgradeAllTasks,
  upgradeTasks,
} from './upgrade_tasks.ts'

/**
 * Longer than a step of it takes with its gate, and begun anew before each. Where apt takes longer a host
 * that stands apart is no danger: it has no proof to take over by (A3).
 */
const PAUSE = '1h'
const LEAVE = '1h'

const BOTH: readonly string[] = []

/** A host boots, Kubernetes starts on a small machine, and the follower catches up. @unit milliseconds */
const GATE_MS = 10 * 60_000

/** Between two looks. @unit milliseconds */
const LOOK_EVERY_MS = 2_000

/** Upgrades both hosts, the follower first; stops at the first gate that does not open. */
export async function runUpgrade(
  wanted: UpgradeWanted,
  parts: UpgradeParts,
  hands: Hands = new UpgradeHands(parts),
): Promise<ExitCode> {
  try {
    return await new UpgradeRun(wanted, parts, hands).go()
  } catch (error) {
    if (error instanceof TwonodeError) return parts.teller.fail(error)
    throw error
  }
}

class UpgradeRun {
  readonly #wanted: UpgradeWanted
  readonly #parts: UpgradeParts
  readonly #hands: Hands
  #isPaused = false

  constructor(wanted: UpgradeWanted, parts: UpgradeParts, hands: Hands) {
    this.#wanted = wanted
    this.#parts = parts
    this.#hands = hands
  }

  async go(): Promise<ExitCode> {
    const { flags } = this.#parts
    if (!flags.check && this.#usesApt) await this.#refreshPackages()
    const hosts = bothOf(await this.#hands.look())
    refuseDowngrades(this.#wanted, hosts)
    refuseMajorOn(this.#parts.site, this.#wanted, hosts)
    const works = workOf(this.#wanted, hosts)
    for (const message of upgradeText(works, this.#wanted)) this.#say('plan', message)
    const todo = works.filter(hasTurn)
    if (flags.check) return todo.length === 0 ? EXIT.done : EXIT.wouldChange
    if (this.#usesApt) await this.#finishCut(hosts)
    // Also with nothing to be done: a run before this one may have stopped behind the last work. One that
    // was cut while a cluster went over has left a pair that is whole again only when it has arrived.
    let whole = hosts.some((host) => isOnItsWay(this.#wanted, host))
      ? hosts
      : await this.#gate(BOTH, 'before anything is done')
    for (const work of todo) whole = await this.#host(work, whole)
    return await this.#end(todo.length > 0, oldMajors(this.#wanted, hosts))
  }

  get #usesApt(): boolean {
    return this.#wanted.packages || this.#wanted.postgresMinor
  }

  /** A dpkg that was killed between two scripts of PostgreSQL's has stopped it: no gate opens before. */
  async #finishCut(hosts: readonly LookedHost[]): Promise<void> {
    for (const { name } of hosts.filter(({ leads, dpkgCut }) => dpkgCut && !leads)) {
      this.#say('step', `${name}: what a dpkg that was cut has left is finished first`)
      await this.#pause()
      await this.#leave(name)
      await this.#hands.commands([name], repairs())
    }
  }

  async #refreshPackages(): Promise<void> {
    this.#say('step', 'the package lists are fetched')
    await this.#hands.commands([], listTasks())
  }

  /**
   * One host: out of the way, worked on, and back in a whole pair.
   * @param whole - the hosts as the last gate saw them: since the plan was made, roles may have moved.
   */
  async #host(
    { name, work }: HostWork,
    whole: readonly LookedHost[],
  ): Promise<readonly LookedHost[]> {
    this.#refuseInterrupted()
    await this.#pause()
    const host = named(whole, name)
    if (work.length > 0) await this.#workOn(host, { work, whole })
    const after = await this.#gate([name], `after ${work.join(', ') || 'all its work'} on ${name}`)
    const { node } = named(after, name)
    if (node === 'drained') await this.#hands.commands([name], takeBackTasks(name))
    if (node === 'cordoned') this.#say('step', `${name} stays cordoned, as it was`)
    this.#say('step', `${name} is done`)
    if (named(after, name).boot === 'asked-for')
      this.#say(
        'step',
        `${name} asks for a boot (/run/reboot-required): run it again with --reboot`,
      )
    return after
  }

  async #workOn(
    { name, leads, node }: LookedHost,
    { work, whole }: { readonly work: readonly Work[]; readonly whole: readonly LookedHost[] },
  ): Promise<void> {
    const { keepRoles } = this.#wanted
    const other = whole.find((host) => host.name !== name)
    if (leads && !keepRoles && other !== undefined) {
      this.#say('step', `${name} hands its lead over`)
      await this.#hands.switchOver(other.name)
    }
    if (node === 'none') this.#say('step', `${name} is no node of Kubernetes: nothing is drained`)
    else await this.#drain(name, node)
    for (const one of work) {
      await this.#pause()
      // While the host still serves: a slow line costs nobody anything.
      if (one === 'postgres-major') await this.#hands.install(name, this.#majorOf(name))
      // With the roles kept a leader has nobody to leave: whoever writes waits for it.
      if (stopsPostgres({ work: [one] }) && !(leads && keepRoles)) await this.#leave(name)
      await this.#work(one, name)
    }
  }

  async #drain(name: string, node: NodeState): Promise<void> {
    this.#say('step', `${name} is drained, its pods' emptyDir data with them`)
    await this.#hands.commands([name], drainTasks(name, node, this.#parts.drain))
  }

  /** So that no write waits for a follower that stops (B7). */
  async #leave(name: string): Promise<void> {
    await this.#hands.ask(name, ['leave', '--for', LEAVE])
    this.#say('step', `${name}'s leader goes on alone, and ${name} may stop`)
  }

  async #work(work: Work, name: string): Promise<void> {
    this.#refuseInterrupted()
    this.#say('step', `${name}: ${work}`)
    switch (work) {
      case 'kine':
      case 'k3s':
        return await this.#hands.converge([name], [work])
      case 'postgres-major':
        return await this.#hands.goOver(name, this.#majorOf(name))
      case 'postgres-minor': {
        const postgres = this.#majorOf(name)
        const packages = [`postgresql-${postgres}`, `postgresql-client-${postgres}`]
        return await this.#hands.commands([name], upgradeTasks(packages))
      }
      case 'packages':
        return await this.#hands.commands([name], upgradeAllTasks())
      case 'reboot':
        return await this.#reboot(name)
      default:
        throw new Error(`unhandled work: ${String(work satisfies never)}`)
    }
  }

  /** As the inventory has it. */
  #majorOf(name: string): number {
    return postgresOf(this.#parts.site, name).version
  }

  /** Over when the new boot's agent answers: what comes next is asked of it. */
  async #reboot(name: string): Promise<void> {
    const find = async () => (await this.#hands.look()).find((host) => host.name === name)
    const before = (await find())?.bootId ?? ''
    await this.#hands.commands([name], bootTasks())
    await this.#until(`${name} to come back from its boot`, async () =>
      whyNotBooted(name, before, await find()),
    )
  }

  /**
   * The pair is whole again, and verify finds nothing on these hosts that was not to be upgraded.
   * @returns the hosts as they were then
   */
  async #gate(only: readonly string[], when: string): Promise<readonly LookedHost[]> {
    let seen: readonly LookedHost[] = []
    const names = only.length > 0 ? only : bothOf(await this.#hands.look()).map(({ name }) => name)
    for (const name of names) await this.#hands.ask(name, ['leave', '--end'])
    await this.#until(`the gate ${when}`, async () => {
      seen = await this.#hands.look()
      const why = whyNotReady(seen)
      if (why !== undefined) return why
      for (const name of names) {
        const findings = await this.#hands.findings(name)
        const other = findings.find((finding) => !this.#isAskedFor(finding))
        if (other !== undefined) return `${name}: ${other}`
      }
      return undefined
    })
    this.#say(
      'gate',
      `${when}: the pair is whole, and verify finds nothing on ${names.join(' and ')}`,
    )
    return seen
  }

  /** Before its turn a host has another program than the inventory: that is what it is all for. */
  #isAskedFor(finding: string): boolean {
    return finding.includes('byte for byte')
  }

  async #until(what: string, missing: () => Promise<string | undefined>): Promise<void> {
    const { world, over } = this.#parts
    const began = world.now()
    let told = ''
    for (;;) {
      const why = await missing()
      if (why === undefined) return
      if (why !== told) this.#say('wait', why)
      told = why
      this.#refuseInterrupted()
      if (world.now() - began > GATE_MS) throw this.#stopped(`${what}: ${why}`)
      await setTimeout(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
    }
  }

  /** What the site's files on the hosts say of versions is the inventory's from here on; nobody is paused. */
  async #end(worked: boolean, old: readonly number[]): Promise<ExitCode> {
    const versions = [this.#wanted.kine, this.#wanted.k3s, this.#wanted.postgresMajor]
    if (worked && versions.some((version) => version !== undefined)) {
      this.#say('step', 'both hosts are converged')
      await this.#hands.converge([], [])
    }
    if (worked) await this.#gate(BOTH, 'in the end')
    await this.#hands.ask(undefined, ['resume'])
    if (old.length > 0) this.#say('step', oldClusterText(old))
    this.#say('done', 'both hosts are as they were asked to be, and resumed')
    return EXIT.done
  }

  /** Begun anew before each step: no agent takes a host at work for one that has failed. */
  async #pause(): Promise<void> {
    await this.#hands.ask(undefined, ['pause', '--for', PAUSE])
    if (!this.#isPaused) this.#say('step', `both hosts are paused for ${PAUSE}`)
    this.#isPaused = true
  }

  #refuseInterrupted(): void {
    if (this.#parts.over.aborted)
      throw new TwonodeError('E_INTERRUPTED', 'interrupted between two steps', again(this.#parts))
  }

  #stopped(why: string): TwonodeError {
    return stopped(why, this.#parts)
  }

  #say(kind: string, message: string): void {
    this.#parts.teller.say({ kind, message })
  }
}
