import { type Trouble, TwonodeError, toTrouble } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { PendingHandler } from './journal.ts'
import { handlersNamed } from './plays.ts'
import type { Run } from './ports.ts'
import { runStep, tryStep } from './step.ts'
import type { WalkState } from './walk_state.ts'

/**
 * Handlers that runs before this one owe, before anything else. One that fails is owed on, and runs at
 * the end of the play that notified it: what it needs may be among the steps that the cut left undone.
 */
export async function runLeftOver(
  run: Run,
  state: WalkState,
  leftOver: readonly PendingHandler[],
): Promise<void> {
  const [first] = run.plan.plays
  for (const step of handlersNamed(
    run,
    leftOver.map(({ name }) => name),
  )) {
    const held: Event[] = []
    const quiet: Run = { ...run, emit: (event) => held.push(event) }
    const at = { step, play: first?.name ?? '', handler: 'left-over' } as const
    const { trouble, statuses } = await tryStep(quiet, state, at)
    // The end of its play tells of it.
    if (statuses.includes('unknown')) continue
    if (trouble === undefined) {
      run.journal.settle([step.name])
      state.tally.add(statuses)
      held.forEach(run.emit)
    } else {
      run.control.stop.throwIfAborted()
      const message = `${step.name}, owed since an earlier run, failed and runs again at the end of its play: ${trouble.message}`
      run.emit({ event: 'note', host: run.host.name, level: 'warning', message })
    }
  }
}

/** Forgets what is owed to handlers that the playbook does not have any more. */
export function forgetUnknownHandlers(run: Run): void {
  const unknown = run.journal
    .owed()
    .map(({ name }) => name)
    .filter((name) => handlersNamed(run, [name]).length === 0)
  if (unknown.length === 0) return
  run.journal.settle(unknown)
  const message = `owed since an earlier run and no more in the playbook: ${unknown.join(', ')}`
  run.emit({ event: 'note', host: run.host.name, level: 'warning', message })
}

/** What is to run at the end of a play, in the plan's order; handlers may notify others. */
export async function runHandlers(
  run: Run,
  state: WalkState,
  { play, isDue }: { readonly play: string; readonly isDue: (owed: PendingHandler) => boolean },
): Promise<Trouble | undefined> {
  for (let round = 0; ; round += 1) {
    const due = run.journal
      .owed()
      .filter((owed) => isDue(owed) && !state.putOff.has(owed.name))
      .map(({ name }) => name)
    const steps = handlersNamed(run, due)
    if (steps.length === 0) return undefined
    if (round > run.plan.handlers.length) return circle(due)
    for (const step of steps) {
      const { trouble, statuses } = await runStep(run, state, { step, play, handler: 'notified' })
      if (trouble !== undefined) return trouble
      // Without the other host it could not be told whether it ran: the next run owes it on.
      if (statuses.includes('unknown')) state.putOff.add(step.name)
      else run.journal.settle([step.name])
    }
  }
}

function circle(names: readonly string[]): Trouble {
  return toTrouble(
    new TwonodeError('E_FAILED', `handlers notify each other in a circle: ${names.join(', ')}`),
  )
}
