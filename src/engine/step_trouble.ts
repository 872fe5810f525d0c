import { EXIT, NotYet, type Trouble, TwonodeError, toTrouble } from '../core/errors.ts'
import type { PlanStep } from '../core/plan.ts'

/** What a step ends with, as data: with the step's place where the error has none of its own. */
export function troubleOf(error: unknown, step: PlanStep): Trouble {
  const trouble = toTrouble(asOurs(error, step))
  return trouble.place === undefined ? { ...trouble, place: step.place } : trouble
}

/** The same of a step at its turn: exit code 2 promises that nothing was done, which is over by then. */
export function troubleAtTurn(error: unknown, step: PlanStep): Trouble {
  const trouble = troubleOf(error, step)
  return trouble.exitCode === EXIT.badInput ? { ...trouble, exitCode: EXIT.failed } : trouble
}

/** NotYet with nothing before it that would help is a failure; what nobody threw on purpose a bug. */
function asOurs(error: unknown, { name, module }: PlanStep): unknown {
  if (error instanceof TwonodeError) return error
  if (isNotYet(error)) return new TwonodeError('E_MISSING', error.message, { cause: error })
  const { message, detail } = toTrouble(error)
  return new TwonodeError('E_BUG', `${module} broke in "${name}": ${message}`, {
    cause: error,
    ...(detail === undefined ? {} : { detail }),
  })
}

/** By name too: a custom module may bring a class of its own. */
function isNotYet(error: unknown): error is Error {
  return error instanceof NotYet || (error instanceof Error && error.name === 'NotYet')
}

/** True for failures that another try may mend; not for an interrupt, bad input or a bug. */
export function isWorthRetrying(error: unknown): boolean {
  return isNotYet(error) || (error instanceof TwonodeError && error.exitCode === 3)
}
