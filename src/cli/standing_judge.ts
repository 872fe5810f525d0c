import { TwonodeError } from '../core/errors.ts'
import type { Event, HelloEvent, StepEvent } from '../core/events.ts'
import type { ReadySite } from './compile_sites.ts'
import { hostViews } from './host_view.ts'
import { pairStanding } from './pair_standing.ts'

/** Listens to a run, and says at its end what is wrong with how a pair stands. */
export interface StandingJudge {
  heard(event: Event): void
  /** What is wrong with this site; undefined: nothing, or it is not known. */
  judge(site: string): TwonodeError | undefined
}

/** A pair of which each part is well may still be none: both alone, paused or frozen. */
export function standingJudge(
  sites: readonly Pick<ReadySite, 'inventory' | 'participants'>[],
): StandingJudge {
  const hellos = new Map<string, HelloEvent>()
  const steps = new Map<string, readonly StepEvent[]>()
  return {
    heard(event) {
      if (event.event === 'hello') hellos.set(event.host, event)
      if (event.event === 'step') steps.set(event.host, [...(steps.get(event.host) ?? []), event])
    },
    judge(name) {
      const found = sites.find(({ inventory }) => inventory.site.name === name)
      if (found === undefined) return undefined
      const { inventory, participants } = found
      const { kind, text } = pairStanding(
        hostViews(inventory.site, participants, { hellos, steps }),
      )
      if (kind === 'whole' || kind === 'unknown') return undefined
      return new TwonodeError('E_UNHEALTHY', text, {
        hint: 'This first: what else was found may follow from it. `twonode status` shows both hosts.',
      })
    },
  }
}
