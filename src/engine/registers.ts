import type { Outcome } from '../core/change.ts'
import type { AnyModule } from '../core/module.ts'
import type { PlanStep } from '../core/plan.ts'
import type { Names, Registered } from './ports.ts'

/** Kept of each output that a step registers. @unit characters */
const OUTPUT_KEPT = 65_536

/** What a name stands for: a value, or the reason why there is none. */
export type Register =
  | { readonly kind: 'known'; readonly value: Registered }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Why a step can not be judged, if a register that it reads is not known. */
export function unknownRead(
  step: PlanStep,
  registers: ReadonlyMap<string, Register>,
): string | undefined {
  for (const name of step.reads) {
    const register = registers.get(name)
    if (register?.kind === 'unknown') return `it reads ${name}: ${register.reason}`
  }
  return undefined
}

/** The names of a step: those of the run, and what was registered. */
export function namesFor(names: Names, registers: ReadonlyMap<string, Register>): Names {
  const known = [...registers].flatMap(([name, register]) =>
    register.kind === 'known' ? [[name, register.value] as const] : [],
  )
  return { ...names, ...Object.fromEntries(known) }
}

export interface Happened {
  readonly changed: boolean
  readonly skipped: boolean
  readonly outcome?: Outcome
}

/** What one run of a step registers. */
export function registeredOf(
  module: AnyModule,
  { state, args }: { readonly state: unknown; readonly args: unknown },
  { changed, skipped, outcome }: Happened,
): Registered {
  const result = module.result?.(state, args) ?? {}
  const words =
    outcome === undefined
      ? {}
      : {
          code: outcome.code,
          stdout: outcome.stdout.slice(0, OUTPUT_KEPT),
          stderr: outcome.stderr.slice(0, OUTPUT_KEPT),
        }
  return { ...result, ...words, changed, skipped, failed: false }
}

/** What a skipped step registers. */
export const SKIPPED: Registered = { changed: false, skipped: true, failed: false }

/** What a loop registers. */
export function registeredLoop(results: readonly Registered[]): Registered {
  return {
    results,
    changed: results.some(({ changed }) => changed === true),
    skipped: results.length > 0 && results.every(({ skipped }) => skipped === true),
    failed: false,
  }
}
