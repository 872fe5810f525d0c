import { formatPlace } from '../core/place.ts'
import type { Plan, PlanStep } from '../core/plan.ts'

/**
 * What is legal and yet unwise; each with its place. Pure.
 *
 * @param packaged The folder of the package's own playbooks: what they register is read by the agent too
 */
export function lint(plan: Plan, packaged: string): readonly string[] {
  const tasks = plan.plays.flatMap((play) => [...play.steps, ...play.gate])
  const warnings = [
    ...plan.plays
      .filter((play) => play.steps.length === 0)
      .map((play) => `play "${play.name}" has no tasks`),
    ...tasks.flatMap((task) => [
      ...CHECKS.flatMap((check) => located(task, check(task))),
      ...located(task, actsEachRun(task)),
      ...(task.place.file.startsWith(packaged) ? [] : located(task, neverRead(task, plan))),
    ]),
    ...plan.handlers.flatMap((handler) => [
      ...CHECKS.flatMap((check) => located(handler, check(handler))),
      ...located(handler, neverNotified(handler, tasks)),
    ]),
  ]
  return [...new Set(warnings)]
}

type Check = (step: PlanStep) => string | undefined

const CHECKS: readonly Check[] = [
  ({ name, module }) =>
    name === module || name === ''
      ? `the task has no name: it will show as "${module}"`
      : undefined,
]

/** What makes a command say by itself whether it has something to do. */
const COMMAND_GUARDS = ['creates', 'removes', 'unless', 'changed_when', 'read_only']

function actsEachRun({ module, args, when }: PlanStep): string | undefined {
  if (when !== undefined) return undefined
  if (module === 'command' && !COMMAND_GUARDS.some((guard) => (args[guard] ?? false) !== false))
    return `the command runs, and counts as a change, in every converge: give it one of ${COMMAND_GUARDS.join(', ')}`
  const { state } = args
  if (module === 'systemd_unit' && (state === 'restarted' || state === 'reloaded'))
    return `the unit is ${state} in every converge: make it a handler`
  return undefined
}

function neverNotified({ name }: PlanStep, tasks: readonly PlanStep[]): string | undefined {
  return tasks.some((task) => task.notify.includes(name))
    ? undefined
    : `no task notifies the handler "${name}"`
}

function neverRead({ register, until }: PlanStep, plan: Plan): string | undefined {
  if (register === undefined || until !== undefined) return undefined
  const all = [...plan.plays.flatMap((p) => [...p.steps, ...p.gate]), ...plan.handlers]
  return all.some((step) => step.reads.includes(register))
    ? undefined
    : `nothing reads what is registered as "${register}"`
}

function located({ place, name }: PlanStep, warning: string | undefined): readonly string[] {
  return warning === undefined ? [] : [`${formatPlace(place)}: ${name}: ${warning}`]
}
