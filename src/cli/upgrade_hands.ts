import { stringify } from 'yaml'
import { EXIT, TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { Site } from '../core/site.ts'
import { compileSites, playbookNamed, type PlaybookSource } from './compile_sites.ts'
import { askHosts } from './host_words.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import type { Teller } from './switchover.ts'
import { switchOver } from './switchover_run.ts'
import { findingsOn, lookAtHosts, type LookedHost } from './upgrade_look.ts'
import type { DrainOptions } from './upgrade_tasks.ts'
import type { World } from './world.ts'

/** What the playbook calls the major version that a host may go over to. */
const OVER_TO_VAR = 'postgresOverTo'

export interface UpgradeParts {
  /** With the one site. */
  readonly flags: RunFlags
  readonly world: World
  readonly teller: Teller
  /** As the inventory has it. */
  readonly site: Site
  readonly drain: DrainOptions
  /** This command line, for whoever is to run it again. */
  readonly command: string
  /** Ctrl-C: nothing further is begun. */
  readonly over: AbortSignal
}

/** What an upgrade does to hosts, and how it looks at them. Throws what stops it. */
export interface Hands {
  /** Asks the agent of that host; of both, if none is named. */
  ask(host: string | undefined, words: readonly string[]): Promise<void>
  look(): Promise<readonly LookedHost[]>
  /** What verify finds on a host, as sentences. */
  findings(host: string): Promise<readonly string[]>
  switchOver(to: string): Promise<void>
  converge(limit: readonly string[], tags: readonly string[]): Promise<void>
  /** PostgreSQL's programs of this major version are on the host, beside those that serve. */
  install(host: string, version: number): Promise<void>
  /** A follower gets an empty cluster of this major version in place of the one that it has. */
  goOver(host: string, version: number): Promise<void>
  commands(limit: readonly string[], tasks: readonly object[]): Promise<void>
}

export class UpgradeHands implements Hands {
  readonly #parts: UpgradeParts
  /** Of PostgreSQL, as the last look has found them: nothing but {@link goOver} changes one. */
  #majors: ReadonlyMap<string, number> = new Map()

  constructor(parts: UpgradeParts) {
    this.#parts = parts
  }

  async ask(host: string | undefined, words: readonly string[]): Promise<void> {
    const { flags, world, teller } = this.#parts
    const limit = host === undefined ? [] : [host]
    const { hosts, exitCode } = await askHosts(
      { words, emit: teller.emit },
      { ...flags, limit },
      world,
    )
    const refusal = [...hosts.values()].find((one) => one.refusal !== undefined)?.refusal
    if (refusal !== undefined) throw this.#stopped(`${words.join(' ')}: ${refusal.message}`)
    if (exitCode !== EXIT.done) throw this.#stopped(`${words.join(' ')}: a host can not be reached`)
  }

  async look(): Promise<readonly LookedHost[]> {
    const hosts = await lookAtHosts(this.#looking)
    const found = hosts.flatMap(({ name, postgres: { serves } }) =>
      serves === null ? [] : [[name, serves] as const],
    )
    this.#majors = new Map([...this.#majors, ...found])
    return hosts
  }

  async findings(host: string): Promise<readonly string[]> {
    return await findingsOn(host, this.#looking)
  }

  async switchOver(to: string): Promise<void> {
    const { flags, world, teller, over } = this.#parts
    const wanted = { to, check: false, thoughPaused: true, over }
    const exit = await switchOver(wanted, { flags: { ...flags, limit: [] }, world, teller })
    if (exit !== EXIT.done) throw this.#stopped(`the lead is not handed over to ${to}`)
  }

  get #looking() {
    const { flags, world, teller } = this.#parts
    return { flags: { ...flags, limit: [] }, postgres: this.#majors, world, emit: teller.emit }
  }

  async converge(limit: readonly string[], tags: readonly string[]): Promise<void> {
    await this.#run(this.#site, limit, tags)
  }

  async install(host: string, version: number): Promise<void> {
    const before = this.#majors
    this.#majors = new Map([...before, [host, version]])
    try {
      await this.#run(this.#site, [host], ['packages'])
    } finally {
      this.#majors = before
    }
  }

  /** The site file last, and without the permission: with it a run that goes on sees what is done. */
  async goOver(host: string, version: number): Promise<void> {
    this.#majors = new Map([...this.#majors, [host, version]])
    await this.#run(this.#site, [host], ['postgres'], { overTo: host, version })
    await this.#run(this.#site, [host], ['agent'])
  }

  get #site(): PlaybookSource {
    return playbookNamed(undefined, this.#parts.world, 'site.yaml')
  }

  async commands(limit: readonly string[], tasks: readonly object[]): Promise<void> {
    const text = stringify([{ name: 'Upgrade', hosts: 'all', tasks }], { lineWidth: 0 })
    await this.#run({ kind: 'text', text, name: 'upgrade' }, limit, [])
  }

  async #run(
    source: PlaybookSource,
    limit: readonly string[],
    tags: readonly string[],
    over?: { readonly overTo: string; readonly version: number },
  ): Promise<void> {
    const { flags, world, teller } = this.#parts
    const more = over === undefined ? [] : [`${OVER_TO_VAR}=${over.version}`]
    const extraVars = [...flags.extraVars, ...more]
    const selection = { ...flags, limit, tags, extraVars, postgres: this.#majors }
    const sites = await compileSites(source, selection, world)
    const emit = (event: Event) => teller.emit(event)
    const permitted = over === undefined ? {} : { overTo: over.overTo }
    const mode = { check: false, lookOnly: false, report: false, ...permitted }
    const exit = await runSites(sites, { flags: selection, mode, emit }, world)
    if (exit !== EXIT.done)
      throw this.#stopped(`what is above failed on ${limit.join() || 'a host'}`)
  }

  #stopped(why: string): TwonodeError {
    return stopped(why, this.#parts)
  }
}

/** Nothing further is begun: what to do, and how to go on. */
export function stopped(why: string, parts: Pick<UpgradeParts, 'command'>): TwonodeError {
  return new TwonodeError('E_FAILED', `the upgrade stops here: ${why}`, again(parts))
}

export function again({ command }: Pick<UpgradeParts, 'command'>) {
  return {
    hint: `The pair serves as \`twonode status\` says. Mend it and run \`${command}\` again: it goes on where it is. Until then both hosts may be paused; \`twonode resume\` ends that.`,
  }
}
