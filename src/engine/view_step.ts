import type { PlanStep } from '../core/plan.ts'
import { lookUntil, type View } from './look.ts'
import type { Names, Registered, Run } from './ports.ts'
import type { Slots } from './slots.ts'
import { type Register, registeredLoop, registeredOf, SKIPPED } from './registers.ts'

/** A step as it was seen: one view, or one for each item of its loop. */
export interface StepView {
  readonly looped: boolean
  readonly items: readonly ItemView[]
  /** @unit milliseconds */
  readonly durationMs: number
}

export interface ItemView {
  readonly item: unknown
  readonly view: View
}

/** Looks at every item of a step, as many at once as there are slots. */
export async function viewStep(
  run: Run,
  step: PlanStep,
  { names, slots }: { readonly names: Names; readonly slots: Slots },
): Promise<StepView> {
  const begin = run.clock.now()
  const done = (looped: boolean, items: readonly ItemView[]): StepView => ({
    looped,
    items,
    durationMs: run.clock.now() - begin,
  })
  let items: readonly unknown[] | undefined
  try {
    items = run.evaluator.loop(step, names)
  } catch (error) {
    return done(false, [{ item: undefined, view: { kind: 'failed', error } }])
  }
  const lookAt = async (own: Names) => await slots.use(async () => await lookUntil(run, step, own))
  if (items === undefined) return done(false, [{ item: undefined, view: await lookAt(names) }])
  const views = items.map(async (item) => ({ item, view: await lookAt({ ...names, item }) }))
  return done(true, await Promise.all(views))
}

/** A step that can't be looked at for a reason. */
export function unknownStep(reason: string): StepView {
  return {
    looped: false,
    items: [{ item: undefined, view: { kind: 'unknown', reason } }],
    durationMs: 0,
  }
}

/** What a step would register if it ran now; it is known only when nothing would change. */
export function registerOf({ name }: PlanStep, { looped, items }: StepView): Register {
  const results: Registered[] = []
  for (const { item, view } of items) {
    if (view.kind === 'unknown' || view.kind === 'failed')
      return { kind: 'unknown', reason: `"${name}" can not be told yet` }
    if (view.kind === 'seen' && view.changes.length > 0)
      return { kind: 'unknown', reason: `"${name}" would change something` }
    const result = resultOf(view)
    results.push(looped ? withItem(result, item) : result)
  }
  const [only = SKIPPED] = results
  return { kind: 'known', value: looped ? registeredLoop(results) : only }
}

function resultOf(view: Extract<View, { kind: 'seen' | 'skipped' }>): Registered {
  if (view.kind === 'skipped') return SKIPPED
  return registeredOf(view.module, view, { changed: false, skipped: false })
}

/** An item may be a secret: it stays one, for templates, and is a mask in JSON. */
export function withItem(result: Registered, item: unknown): Registered {
  return { ...result, item: item as Registered[string] }
}
