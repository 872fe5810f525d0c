import { join } from 'node:path'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import { TwonodeError, messageOf } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { Registry, Validate } from '../core/module.ts'
import { type Plan, PLAN_FORMAT, type RunOptions } from '../core/plan.ts'
import { redactor } from '../core/secret.ts'
import { APPLIED_FILE } from '../engine/applied_record.ts'
import { type Clock, systemClock } from '../engine/clock.ts'
import { execute } from '../engine/execute.ts'
import { type Journal, openJournal, type PendingHandler } from '../engine/journal.ts'
import { createFileLock, type FileLock, LOCK_FILE } from '../engine/lock.ts'
import { namesOf, roleOf } from '../engine/names.ts'
import type { Evaluator, Run } from '../engine/ports.ts'
import { readFacts } from '../host/facts.ts'
import { createLocalHost, type LocalHost } from '../host/local.ts'
import { pairStateOf } from '../pair/host_meta.ts'
import { withCustomModules } from '../plan/custom_modules.ts'
import { stepContext } from '../plan/step_context.ts'
import { bundledFile } from './bundled_file.ts'
import { withDebts } from './debts.ts'
import { GRACE_MS, Ousting } from './ousting.ts'
import { ownControl } from './own_control.ts'
import type { OwnSite } from './own_site.ts'
import type { ConvergeOutcome, Engine } from './ports.ts'
import { ToldEvents } from './told_events.ts'

/** Where things lie on a host; tests have their own. */
export interface EnginePlaces {
  readonly lockFile: string
  readonly appliedFile: string
}

export interface LocalEngineSettings {
  readonly site: OwnSite
  /** Content hash of the bundle that runs; it runs its own plans only. */
  readonly bundle: string
  /** What is taken out of its journal; the site's own secrets unless it is said. */
  readonly redact?: (text: string) => string
  readonly places?: EnginePlaces
  /** Told of all that happens, for a person who looks on. */
  readonly onEvent?: (event: Event) => void
  /** Tests have a host of their own; the lock's descriptor goes to its commands. */
  readonly makeHost?: (lockFd: () => number | undefined) => LocalHost
  readonly clock?: Clock
}

type Wanted = Parameters<Engine['converge']>[0]

const PLACES: EnginePlaces = { lockFile: LOCK_FILE, appliedFile: APPLIED_FILE }

/** For a query that was not killed with a command. @unit milliseconds */
const QUERY_GRACE_MS = 200

/** An urgent converge that can't have the lock by then says so, and is asked for again. @unit milliseconds */
const OUST_TIMEOUT_MS = 10_000

/** At boot the agent is up before PostgreSQL: a converge that nothing presses waits. @unit milliseconds */
const SERVER_MS = 10_000

/** How the names of agents' runs begin, on whichever host and in whichever process. */
const RUN_PREFIX = 'agent-'

/** The engine on the spot, and what it holds. */
export interface LocalEngine extends Engine {
  /** A converge is under way. */
  isBusy(): boolean
  close(): Promise<void>
}

/**
 * The engine of every converge in this process: plan, modules and templates are parsed beforehand, and
 * the connection to PostgreSQL is kept, so that a promotion begins with its first read.
 *
 * @throws TwonodeError E_BUNDLE for a site that another bundle compiled
 */
export async function openLocalEngine(settings: LocalEngineSettings): Promise<LocalEngine> {
  const { plan } = settings.site
  refuseForeign(plan, settings.bundle)
  const modules = await withCustomModules({ registry, validate }, plan.customModules)
  return new OwnEngine(settings, modules)
}

function refuseForeign({ format, bundle }: Plan, own: string): void {
  if (format === PLAN_FORMAT && bundle === own) return
  throw new TwonodeError(
    'E_BUNDLE',
    `the site file is of bundle ${bundle.slice(0, 12)}…, this is ${own.slice(0, 12)}…`,
  )
}

interface Underway {
  readonly stop: AbortController
  readonly ended: Promise<unknown>
}

class OwnEngine implements LocalEngine {
  readonly #settings: LocalEngineSettings
  readonly #places: EnginePlaces
  readonly #modules: { readonly registry: Registry; readonly validate: Validate }
  readonly #evaluator: Evaluator
  readonly #clock: Clock
  readonly #host: LocalHost
  readonly #ousting: Ousting
  readonly #redact: (text: string) => string
  #lock: FileLock | undefined
  #underway: Underway | undefined
  #runs = 0

  constructor(
    settings: LocalEngineSettings,
    modules: { readonly registry: Registry; readonly validate: Validate },
  ) {
    const { site, places = PLACES, clock = systemClock, makeHost } = settings
    this.#settings = settings
    this.#places = places
    this.#ousting = new Ousting(places.lockFile)
    this.#modules = modules
    this.#evaluator = stepContext(modules.registry, site.secrets)
    this.#clock = clock
    this.#redact = settings.redact ?? redactor([...site.secrets.values()])
    const lockFd = () => this.#lock?.fd()
    const { port } = site.plan.site.postgres
    this.#host =
      makeHost?.(lockFd) ??
      createLocalHost({ name: site.host, lockFd, port, direct: true, blob: bundledFile })
  }

  async converge(wanted: Wanted): Promise<ConvergeOutcome> {
    const before = this.#underway
    if (before !== undefined) {
      if (!wanted.urgent) return { kind: 'locked', by: 'a converge of this agent' }
      await this.#end(before)
    }
    const stop = new AbortController()
    const running = this.#converge(wanted, stop)
    const underway = { stop, ended: running.catch(() => undefined) }
    this.#underway = underway
    const end = () => void this.#end(underway)
    wanted.stop.addEventListener('abort', end)
    if (wanted.stop.aborted) end()
    try {
      const outcome = await running
      return stop.signal.aborted && outcome.kind === 'failed' ? { kind: 'stopped' } : outcome
    } finally {
      wanted.stop.removeEventListener('abort', end)
      if (this.#underway === underway) this.#underway = undefined
    }
  }

  isBusy(): boolean {
    return this.#underway !== undefined
  }

  async close(): Promise<void> {
    if (this.#underway !== undefined) await this.#end(this.#underway)
    await this.#host.close()
  }

  /** After its current change, or after the grace without the command that it waits for. */
  async #end({ stop, ended }: Underway): Promise<void> {
    if (stop.signal.aborted) return void (await ended)
    stop.abort(new TwonodeError('E_INTERRUPTED', 'something more urgent is to be done'))
    this.#host.awaitServer(0)
    await Promise.race([ended, this.#clock.sleep(GRACE_MS)])
    // Our own commands hold the lock's file as well; this process is left out.
    this.#ousting.killCommands()
    await Promise.race([ended, this.#clock.sleep(QUERY_GRACE_MS)])
    // A statement that still waits ends with its connection; the next one opens another.
    await this.#host.close()
    await ended
  }

  async #converge(wanted: Wanted, stop: AbortController): Promise<ConvergeOutcome> {
    const options = this.#options(wanted)
    const lock = this.#lockFor(options, wanted)
    this.#lock = lock
    try {
      await lock.take(stop.signal)
      this.#host.awaitServer(wanted.urgent || stop.signal.aborted ? 0 : SERVER_MS)
      const told = new ToldEvents(wanted.told)
      const exitCode = await execute(this.#run(wanted, { options, stop, lock, told }))
      const outcome = told.outcome(exitCode)
      if (outcome.kind === 'done') await wanted.beforeUnlock?.()
      return outcome
    } catch (error) {
      return troubleOf(error)
    } finally {
      await lock.release()
    }
  }

  #options({ meta, tags, urgent }: Wanted): RunOptions {
    this.#runs += 1
    const { host } = this.#settings.site
    return {
      check: false,
      diff: false,
      tags,
      limit: [],
      lockTimeoutMs: urgent ? OUST_TIMEOUT_MS : 0,
      runId: `${RUN_PREFIX}${meta.term}-${process.pid}-${this.#runs}`,
      by: `agent@${host}`,
      allowDowngrade: false,
      report: true,
    }
  }

  #lockFor({ runId, by, lockTimeoutMs }: RunOptions, { meta, urgent }: Wanted): FileLock {
    return createFileLock({
      file: this.#places.lockFile,
      holder: { pid: process.pid, runId, by },
      timeoutMs: lockTimeoutMs,
      clock: this.#clock,
      now: () => new Date(),
      onWait: urgent ? this.#ousting.inTerm(meta.term) : () => {},
    })
  }

  #run(
    { meta, urgent }: Wanted,
    parts: {
      readonly options: RunOptions
      readonly stop: AbortController
      readonly lock: FileLock
      readonly told: ToldEvents
    },
  ): Run {
    const { options, stop, lock, told } = parts
    const { plan, host } = this.#settings.site
    const pair = pairStateOf(meta)
    const names = namesOf({ plan, host, pair, facts: readFacts() })
    return {
      plan,
      options,
      host: this.#host,
      role: roleOf(host, pair),
      solo: false,
      straight: urgent,
      names,
      // No barriers: it holds the lock from its beginning to its end.
      namesNow: async () => names,
      ...this.#modules,
      evaluator: this.#evaluator,
      control: ownControl(stop.signal, told),
      lock,
      journal: this.#journal(options, urgent),
      clock: this.#clock,
      appliedFile: this.#places.appliedFile,
      emit: (event) => {
        told.take(event)
        this.#settings.onEvent?.(event)
      },
    }
  }

  #journal({ runId, by }: RunOptions, urgent: boolean): Journal {
    const { plan } = this.#settings.site
    const journal = openJournal({
      folder: join(plan.site.stateDirectory, 'journal'),
      runId,
      by,
      version: plan.version,
      redact: this.#redact,
      now: () => new Date(),
    })
    // An urgent converge is no time for what earlier ones owe: a handler may restart k3s, for minutes.
    const pays = (owed: PendingHandler) =>
      urgent ? owed.runId === runId : owed.runId.startsWith(RUN_PREFIX)
    return withDebts(journal, { pays, cleansUp: !urgent })
  }
}

function troubleOf(error: unknown): ConvergeOutcome {
  if (error instanceof TwonodeError && error.code === 'E_LOCKED')
    return { kind: 'locked', by: error.message }
  const message = messageOf(error)
  return { kind: 'failed', task: null, message }
}
