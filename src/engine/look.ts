import type { Change } from '../core/change.ts'
import { TwonodeError } from '../core/errors.ts'
import type { AnyModule, Evaluate } from '../core/module.ts'
import type { PlanStep } from '../core/plan.ts'
import type { Names, Registered, Run } from './ports.ts'
import { registeredOf } from './registers.ts'

/** One look at one step (or one item of its loop): what is there, and what it would take. */
export type View =
  | { readonly kind: 'skipped'; readonly reason: string }
  | Seen
  /** Its names are not known, or what it waits for has not come yet. */
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface Seen {
  readonly kind: 'seen'
  readonly module: AnyModule
  readonly args: unknown
  readonly state: unknown
  readonly changes: readonly Change[]
  readonly notes: readonly string[]
}

/** Looks, and changes nothing. Never throws but for an interrupt: a failure is a view, too. */
export async function look(run: Run, step: PlanStep, names: Names): Promise<View> {
  try {
    if (!run.evaluator.when(step, names)) return { kind: 'skipped', reason: `when: ${step.when}` }
    return await see(run, step, names)
  } catch (error) {
    run.control.stop.throwIfAborted()
    return { kind: 'failed', error }
  }
}

async function see(run: Run, step: PlanStep, names: Names): Promise<Seen> {
  const module = moduleOf(run, step)
  const args = argsOf(run, step, names)
  const state = await within(run, step, module.observe(run.host, args))
  const evaluate = evaluateWith(run, step, names)
  const refusal = module.refuse?.(state, args, evaluate)
  if (refusal !== undefined) throw new TwonodeError('E_FAILED', `${run.host.name}: ${refusal}`)
  const changes = module.diff(state, args)
  return { kind: 'seen', module, args, state, changes, notes: module.notes?.(state, args) ?? [] }
}

/** Evaluates the step's own CEL with further names. */
export function evaluateWith(run: Run, step: PlanStep, names: Names): Evaluate {
  return (expression, more) => run.evaluator.evaluate(expression, step, { ...names, ...more })
}

function moduleOf({ registry }: Run, step: PlanStep): AnyModule {
  const module = registry.get(step.module)
  if (module !== undefined) return module
  throw new TwonodeError('E_PLAYBOOK', `there is no module ${step.module} in this bundle`)
}

/** Validation fills defaults into the rendered args. */
function argsOf(run: Run, step: PlanStep, names: Names): unknown {
  const args = run.evaluator.renderArgs(step, names)
  const [problem] = run.validate(step.module, args)
  if (problem === undefined) return args
  const path = problem.path.length === 0 ? step.module : problem.path.join('.')
  throw new TwonodeError('E_ARGUMENT', `${path}: ${problem.message}`, {
    place: step.place,
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
  })
}

/** Ends with the step's time or the run's, whichever comes first: a look can always be given up. */
async function within<T>(
  { clock, control }: Run,
  step: PlanStep,
  observing: Promise<T>,
): Promise<T> {
  // Whoever loses the race, or is given up, rejects when nobody is left to hear it.
  observing.catch(ignore)
  control.stop.throwIfAborted()
  const over = new AbortController()
  const giveUp = () => over.abort()
  control.stop.addEventListener('abort', giveUp)
  try {
    const tooLong = clock.sleep(step.timeoutMs, over.signal).then(() => {
      control.stop.throwIfAborted()
      throw new TwonodeError('E_FAILED', `looking took longer than ${step.timeoutMs / 1000} s`)
    })
    return await Promise.race([observing, tooLong])
  } finally {
    control.stop.removeEventListener('abort', giveUp)
    over.abort()
  }
}

function ignore(): void {}

/** A look at a step with nothing to change whose `until` does not hold yet is unknown. */
export async function lookUntil(run: Run, step: PlanStep, names: Names): Promise<View> {
  const view = await look(run, step, names)
  if (step.until === undefined || view.kind !== 'seen' || view.changes.length > 0) return view
  try {
    const result = registeredOf(view.module, view, { changed: false, skipped: false })
    if (untilHolds(run, step, { result, names })) return view
    return { kind: 'unknown', reason: `it waits until ${step.until}` }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** `until` sees what this try registers. */
export function untilHolds(
  run: Run,
  step: PlanStep,
  { result, names }: { readonly result: Registered; readonly names: Names },
): boolean {
  if (step.until === undefined) return true
  const own = step.register === undefined ? { result } : { [step.register]: result, result }
  return run.evaluator.evaluate(step.until, step, { ...names, ...own }) === true
}
