import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event, StepEvent } from '../../src/core/events.ts'
import type { Host } from '../../src/core/host.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { AnyModule } from '../../src/core/module.ts'
import type { Plan, PlanPlay, PlanStep, RunOptions } from '../../src/core/plan.ts'
import type { PairState } from '../../src/core/site.ts'
import { APPLIED_FILE } from '../../src/engine/applied_record.ts'
import type { Clock } from '../../src/engine/clock.ts'
import { execute } from '../../src/engine/execute.ts'
import { type Journal, openJournal } from '../../src/engine/journal.ts'
import { namesOf, roleOf } from '../../src/engine/names.ts'
import type { Control, Evaluator, Lock, Names, Run } from '../../src/engine/ports.ts'
import { MODULES } from './engine_modules.ts'
import { siteOf } from './site.ts'

/** `a.b`, `!a.b`, `a.b == word`, true, false: enough to say when. */
function evaluate(text: string, names: Names): unknown {
  const [left = '', right] = text.split('==').map((part) => part.trim())
  if (left.startsWith('!')) return evaluate(left.slice(1), names) !== true
  if (left === 'true' || left === 'false') return left === 'true'
  const value = left
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], names)
  if (right === undefined) return value
  return String(value) === right
}

const testEvaluator: Evaluator = {
  renderArgs: ({ args }, names) =>
    JSON.parse(
      JSON.stringify(args).replaceAll(/\{\{(.*?)\}\}/g, (_, name: string) =>
        JSON.stringify(String(evaluate(name, names))).slice(1, -1),
      ),
    ) as unknown,
  when: ({ when }, names) => when === undefined || evaluate(when, names) === true,
  loop: ({ loop }) => (Array.isArray(loop) ? loop : undefined),
  evaluate: (expression, _, names) => evaluate(expression, names),
  mentions: (step, name) => JSON.stringify(step).includes(`${name}.`),
}

export const SITE = siteOf({ name: 'test' })

export const PAIR: PairState = {
  leader: 'h1',
  term: 1,
  branch: 1,
  mode: 'alone',
  slot: null,
  began: 'first',
  fork: null,
}

/** A step, with everything that a test does not care about filled in. */
export function step(
  name: string,
  module: string,
  args: JsonObject,
  more: Partial<PlanStep> = {},
): PlanStep {
  return {
    id: name,
    name,
    module,
    args,
    notify: [],
    tags: [],
    retries: 0,
    delayMs: 1_000,
    timeoutMs: 60_000,
    reads: [],
    place: { file: 'site.yaml', line: 1, column: 1 },
    ...more,
  }
}

/** Plays in their order; their ids count from 0. */
export function planOf(
  plays: readonly Partial<PlanPlay>[],
  handlers: readonly PlanStep[] = [],
): Plan {
  return {
    format: 1,
    bundle: 'test',
    version: '1.2.3',
    site: SITE,
    vars: {},
    plays: plays.map((play, id) => ({
      id,
      name: `play ${id}`,
      hosts: 'all',
      rolling: false,
      gate: [],
      steps: [],
      ...play,
    })),
    handlers,
    customModules: [],
  }
}

/** Time that passes only when someone sleeps; it never waits for real. */
export function testClock(): Clock {
  let time = 0
  return {
    now: () => time,
    sleep: async (ms, stop) => {
      // Bounds of looks that are quick never expire: only a short sleep is taken at its word.
      if (ms > 30_000)
        return await new Promise((resolve) => stop?.addEventListener('abort', () => resolve()))
      await Promise.resolve()
      time += ms
    },
    every: () => () => {},
  }
}

/** Memory-backed where the machine has it: the journal syncs every line. */
export function scratch(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'twonode-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export const OPTIONS: RunOptions = {
  check: false,
  diff: false,
  tags: [],
  limit: [],
  lockTimeoutMs: 1_000,
  runId: 'run-1',
  by: 'ana@laptop',
  allowDowngrade: false,
}

export interface RunSpec {
  readonly host: Host
  readonly plan: Plan
  readonly options?: Partial<RunOptions>
  readonly journal: Journal
  readonly control?: Partial<Control>
  readonly lock?: Lock
  readonly solo?: boolean
  readonly clock?: Clock
  readonly emit?: (event: Event) => void
  readonly modules?: readonly AnyModule[]
  readonly namesNow?: Run['namesNow']
}

/** A run with everything in memory; alone with itself unless a control is given. */
export function runOf(spec: RunSpec): Run {
  const { host, plan, journal, solo = false } = spec
  const options = { ...OPTIONS, ...spec.options }
  const names = namesOf({ plan, host: host.name, pair: PAIR, facts: {} })
  const registry = new Map(
    [...MODULES, ...(spec.modules ?? [])].map((module) => [module.name, module]),
  )
  return {
    plan,
    options,
    host,
    role: roleOf(host.name, PAIR),
    solo,
    names,
    namesNow: spec.namesNow ?? (async () => names),
    registry,
    validate: () => [],
    evaluator: testEvaluator,
    control: { ...aloneControl(options), ...spec.control },
    lock: spec.lock ?? freeLock(),
    journal,
    clock: spec.clock ?? testClock(),
    appliedFile: APPLIED_FILE,
    emit: spec.emit ?? (() => {}),
  }
}

/** Goes on as soon as anything is pending. */
function aloneControl({ check }: RunOptions): Control {
  return {
    stop: new AbortController().signal,
    peerFailed: () => undefined,
    observed: async ({ pending }) =>
      check || pending.length === 0
        ? { kind: 'end' }
        : { kind: 'apply', firstBarrier: Math.min(...pending) + 1 },
    barrier: async () => ({ kind: 'proceed', peerChanged: false }),
  }
}

function freeLock(): Lock {
  return { take: async () => ({ otherHeldIt: false }), release: async () => {} }
}

/** What a converge told, and how it ended. */
export interface Told {
  readonly exitCode: number
  readonly events: readonly Event[]
  /** One line a step: `h1 changed make a`. */
  readonly lines: readonly string[]
}

/** Runs it to its end; where the controller would end it, the events that came along are the told ones. */
export async function converge(spec: RunSpec): Promise<Told> {
  const events: Event[] = []
  const run = runOf({ ...spec, emit: (event) => events.push(event) })
  const exitCode = await execute({
    ...run,
    control: {
      stop: run.control.stop,
      peerFailed: () => run.control.peerFailed(),
      barrier: async (done) => await run.control.barrier(done),
      observed: async (observation) => {
        const verdict = await run.control.observed(observation)
        if (verdict.kind === 'end') events.push(...observation.events)
        return verdict
      },
    },
  })
  return { exitCode, events, lines: stepsIn(events).map(lineOf) }
}

export function stepsIn(events: readonly Event[]): readonly StepEvent[] {
  return events.filter((event) => event.event === 'step')
}

function lineOf({ status, task, handler, item }: StepEvent): string {
  const as = handler === undefined ? '' : ` (${handler})`
  return `${status} ${task}${as}${item === undefined ? '' : ` [${JSON.stringify(item)}]`}`
}

/** The journal of a test's own folder. */
export function journalIn(folder: string, runId = 'run-1'): Journal {
  return openJournal({
    folder,
    runId,
    by: 'ana@laptop',
    version: '1.2.3',
    redact: (text) => text,
    now: () => new Date(),
  })
}
