import type { Plan, PlanPlay, PlanStep } from '../core/plan.ts'
import { type Paint, printable } from './paint.ts'
import { seenFrom } from './trouble_text.ts'
import { formatPlace } from '../core/place.ts'

/** A plan as a person reads it: plays and tasks in their order, with where each is written. */
export function planText(plan: Plan, paint: Paint, cwd: string): string {
  const { site } = plan
  const hosts = site.hosts.map(({ name, address }) => `${name} ${address}`).join(', ')
  const handlers =
    plan.handlers.length === 0
      ? []
      : ['', paint.bold('handlers'), ...plan.handlers.map((step) => stepText(step, paint, cwd))]
  const lines = [
    `${paint.bold(`site ${site.name}`)}  ${hosts}; ${site.initialLeader} leads at first`,
    ...plan.plays.flatMap((play) => playText(play, paint, cwd)),
    ...handlers,
  ]
  return `${lines.join('\n')}\n`
}

function playText(play: PlanPlay, paint: Paint, cwd: string): readonly string[] {
  const rolling = play.rolling ? ', the follower first' : ''
  return [
    '',
    `${paint.bold(printable(play.name))}  ${paint.dim(`on ${play.hosts}${rolling}`)}`,
    ...play.steps.map((step) => stepText(step, paint, cwd)),
    ...play.gate.map((step) => stepText(step, paint, cwd, 'gate: ')),
  ]
}

function stepText(step: PlanStep, paint: Paint, cwd: string, prefix = ''): string {
  const more = [
    step.when === undefined ? '' : `when ${step.when}`,
    step.loop === undefined ? '' : 'loop',
    step.tags.length === 0 ? '' : `tags ${step.tags.join(', ')}`,
  ].filter((part) => part !== '')
  const note = more.length === 0 ? '' : `  (${more.join('; ')})`
  const place = formatPlace(seenFrom(cwd, step.place))
  return `  ${step.id.padEnd(5)} ${prefix}${printable(step.name)}  ${paint.dim(`${step.module}${note}  ${place}`)}`
}
