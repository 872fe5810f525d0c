import { isChosenBy, type PlanPlay, type PlanStep } from '../core/plan.ts'
import type { Run } from './ports.ts'

/** True if this host has a part in the play. */
export function takesPart({ host, role }: Run, { hosts }: PlanPlay): boolean {
  return hosts === 'all' || hosts === role || hosts === host.name
}

/** The steps that this run is about: those with one of the tags asked for, or all but `never`. */
export function stepsOf(run: Run, { steps }: PlanPlay): readonly PlanStep[] {
  return steps.filter((step) => isChosen(run, step))
}

function isChosen({ options }: Run, step: PlanStep): boolean {
  return isChosenBy(options.tags, step)
}

/** Registers of steps that this run leaves out, each with the step's name. */
export function leftOutRegisters(run: Run): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const play of run.plan.plays.filter((candidate) => takesPart(run, candidate)))
    for (const step of play.steps)
      if (step.register !== undefined && !isChosen(run, step)) found.set(step.register, step.name)
  return found
}

/** Handlers by name, in the plan's order. */
export function handlersNamed(run: Run, names: readonly string[]): readonly PlanStep[] {
  return run.plan.handlers.filter(({ name }) => names.includes(name))
}
