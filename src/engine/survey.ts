import type { Event, StepStatus } from '../core/events.ts'
import { EXIT, type ExitCode } from '../core/errors.ts'
import type { PlanPlay, PlanStep } from '../core/plan.ts'
import type { PendingHandler } from './journal.ts'
import { judge, type Judged } from './judge.ts'
import { handlersNamed, leftOutRegisters, stepsOf, takesPart } from './plays.ts'
import type { Observation, Run } from './ports.ts'
import { namesFor, type Register, unknownRead } from './registers.ts'
import { Slots } from './slots.ts'
import { stepEvent, type StepPlace } from './step_event.ts'
import { Tally } from './tally.ts'
import { registerOf, type StepView, unknownStep, viewStep } from './view_step.ts'

/** Steps observed at once. Each may be a process on a small machine. */
export const AT_ONCE = 64

/** All steps as they were seen before anything was changed. */
export interface Survey {
  readonly observation: Observation
  /** By step id. Good as long as nothing changes, here or at the peer. */
  readonly views: ReadonlyMap<string, StepView>
  readonly exitCode: ExitCode
}

/**
 * Observes every step of every play at once, across barriers: reads are asked for in one turn, so that
 * the host can answer many with one command. Only who reads a register waits for who registers it.
 */
export async function survey(run: Run, leftOver: readonly PendingHandler[]): Promise<Survey> {
  const views = await viewAll(run)
  const report = new SurveyReport(run)
  if (leftOver.length > 0) await report.leftOver(leftOver)
  for (const play of run.plan.plays.filter((candidate) => takesPart(run, candidate)))
    await report.play(play, views)
  return { ...report.close(), views }
}

/** Every step's view; the promises of a register's readers hang on that of its step. */
async function viewAll(run: Run): Promise<ReadonlyMap<string, StepView>> {
  const slots = new Slots(AT_ONCE)
  const registering = new Map<string, Promise<Register>>()
  for (const [name, task] of leftOutRegisters(run))
    registering.set(name, Promise.resolve(leftOutRegister(task)))
  const viewing: Promise<readonly [string, StepView]>[] = []
  for (const play of run.plan.plays.filter((candidate) => takesPart(run, candidate))) {
    for (const step of stepsOf(run, play)) {
      const view = viewOnce(run, step, { slots, registering: new Map(registering) })
      viewing.push(view.then((found) => [step.id, found] as const))
      if (step.register !== undefined)
        registering.set(
          step.register,
          view.then((found) => registerOf(step, found)),
        )
    }
  }
  return new Map(await Promise.all(viewing))
}

/** Why a register of a task that the tags leave out is not there. */
export function leftOutRegister(task: string): Register {
  return { kind: 'unknown', reason: `"${task}" registers it and is left out by --tags` }
}

async function viewOnce(
  run: Run,
  step: PlanStep,
  {
    slots,
    registering,
  }: { readonly slots: Slots; readonly registering: ReadonlyMap<string, Promise<Register>> },
): Promise<StepView> {
  const read = step.reads.flatMap((name) => {
    const register = registering.get(name)
    return register === undefined ? [] : [register.then((value) => [name, value] as const)]
  })
  const registers = new Map(await Promise.all(read))
  const unknown = unknownRead(step, registers)
  if (unknown !== undefined) return unknownStep(unknown)
  return await viewStep(run, step, { names: namesFor(run.names, registers), slots })
}

/** Puts the views in order and judges each in the light of those before it. */
class SurveyReport {
  readonly #run: Run
  readonly #events: Event[] = []
  readonly #pending = new Set<number>()
  readonly #tally = new Tally()
  readonly #slots = new Slots(AT_ONCE)
  readonly #registers = new Map<string, Register>()
  /** What comes earlier on this host and is going to change. */
  readonly #before: string[] = []
  #exitCode: ExitCode = EXIT.done

  constructor(run: Run) {
    this.#run = run
    for (const [name, task] of leftOutRegisters(run))
      this.#registers.set(name, leftOutRegister(task))
  }

  async leftOver(handlers: readonly PendingHandler[]): Promise<void> {
    const names = handlers.map(({ name }) => name)
    for (const step of handlersNamed(this.#run, names)) {
      const [first] = this.#run.plan.plays
      if (first !== undefined) this.#pending.add(first.id)
      // It is pending whatever it looks like: what it was owed for has happened.
      this.#before.push(step.name)
      await this.#handler(step, { play: first?.name ?? '', handler: 'left-over' })
    }
  }

  async play(play: PlanPlay, views: ReadonlyMap<string, StepView>): Promise<void> {
    const notified: { name: string; surely: boolean; by: string }[] = []
    for (const step of stepsOf(this.#run, play)) {
      const view = views.get(step.id)
      if (view === undefined) continue
      const statuses = this.#step({ step, play: play.name }, view)
      if (step.register !== undefined) this.#registers.set(step.register, registerOf(step, view))
      if (statuses.some((status) => status === 'would-change' || status === 'unknown')) {
        this.#pending.add(play.id)
        const surely = statuses.includes('would-change')
        notified.push(...step.notify.map((name) => ({ name, surely, by: step.name })))
      }
    }
    for (const step of handlersNamed(
      this.#run,
      notified.map(({ name }) => name),
    )) {
      const notes = notified.filter(({ name }) => name === step.name)
      const unsure = notes.some(({ surely }) => surely) ? undefined : notes[0]?.by
      await this.#handler(step, { play: play.name, handler: 'notified', unsure })
    }
  }

  close(): { readonly observation: Observation; readonly exitCode: ExitCode } {
    const { host, options } = this.#run
    const counts = this.#tally.counts()
    const differs = options.check && counts.changed + counts.unknown > 0
    const exitCode = this.#exitCode === EXIT.done && differs ? EXIT.wouldChange : this.#exitCode
    const summary: Event = { event: 'host-summary', host: host.name, counts, exitCode }
    const pending = [...this.#pending].toSorted((a, b) => a - b)
    return { observation: { pending, events: [...this.#events, summary] }, exitCode }
  }

  /** Only check mode tells of handlers: an apply sees them when their turn comes. */
  async #handler(
    step: PlanStep,
    { play, handler, unsure }: Omit<StepPlace, 'step'> & { readonly unsure?: string | undefined },
  ): Promise<void> {
    if (!this.#run.options.check) return
    const unknown =
      unsure === undefined
        ? unknownRead(step, this.#registers)
        : `"${unsure}" would notify it and can not be told yet`
    const names = namesFor(this.#run.names, this.#registers)
    const view =
      unknown === undefined
        ? await viewStep(this.#run, step, { names, slots: this.#slots })
        : unknownStep(unknown)
    this.#step({ step, play, ...(handler === undefined ? {} : { handler }) }, view)
  }

  #step(place: StepPlace, { looped, items, durationMs }: StepView): readonly StepStatus[] {
    const statuses = items.map(({ item, view }) => {
      const judged = judge(this.#run, place.step, { view, before: this.#before })
      const at = looped ? { ...place, item } : place
      this.#events.push(stepEvent(this.#run, at, { ...judged, durationMs }))
      this.#remember(place.step, judged)
      return judged.status
    })
    this.#tally.add(statuses)
    return statuses
  }

  #remember({ name }: PlanStep, { status, trouble }: Judged): void {
    const isPending = status === 'would-change' || status === 'unknown'
    if (isPending && this.#before.at(-1) !== name) this.#before.push(name)
    if (trouble !== undefined && this.#exitCode === EXIT.done) this.#exitCode = trouble.exitCode
  }
}
