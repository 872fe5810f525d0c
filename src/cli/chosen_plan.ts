import {
  isChosenBy,
  runsOnlyWhenAsked,
  type Plan,
  type PlanPlay,
  type PlanStep,
} from '../core/plan.ts'

/**
 * What `--tags` leaves of a plan, for people: tasks that they choose, the gates of their plays,
 * and the handlers that they may notify. The plan that hosts get is whole, for tasks that read each
 * other; they choose by the same rule. Pure.
 */
export function chosenPlan(plan: Plan, tags: readonly string[]): Plan {
  if (tags.length === 0 && !plan.plays.some(({ steps }) => steps.some(runsOnlyWhenAsked)))
    return plan
  const plays = plan.plays
    .map((play) => withChosenSteps(play, tags))
    .filter(({ steps }) => steps.length > 0)
  const tasks = plays.flatMap(({ steps, gate }) => [...steps, ...gate])
  return { ...plan, plays, handlers: notifiedBy(tasks, plan.handlers) }
}

function withChosenSteps(play: PlanPlay, tags: readonly string[]): PlanPlay {
  return {
    ...play,
    steps: play.steps.filter((step) => isChosenBy(tags, step)),
  }
}

function notifiedBy(
  tasks: readonly PlanStep[],
  handlers: readonly PlanStep[],
): readonly PlanStep[] {
  const names = new Set(tasks.flatMap(({ notify }) => notify))
  return handlers.filter(({ name }) => names.has(name))
}
