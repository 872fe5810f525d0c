import { EXIT, type ExitCode } from '../core/errors.ts'
import type { Event, StepEvent } from '../core/events.ts'
import type { JsonObject } from '../core/json.ts'
import type { ConvergeOutcome, Engine } from './ports.ts'

type Wanted = Parameters<Engine['converge']>[0]

/** What a converge tells, gathered to one outcome. */
export class ToldEvents {
  readonly #told: NonNullable<Wanted['told']> | undefined
  readonly #registered = new Map<string, JsonObject>()
  #changed = 0
  #failure: { readonly task: string | null; readonly message: string } | undefined
  #undone: { readonly task: string; readonly message: string } | undefined

  constructor(told?: Wanted['told']) {
    this.#told = told
  }

  take(event: Event): void {
    if (event.event === 'step') this.#step(event)
    if (event.event === 'trouble') this.#failure ??= { task: null, message: event.trouble.message }
  }

  /** A step that can't be told is no success: whoever asked tries again. */
  outcome(exitCode: ExitCode): ConvergeOutcome {
    const registered = Object.fromEntries(this.#registered)
    const trouble = this.#failure ?? this.#undone
    if (trouble !== undefined) return { kind: 'failed', ...trouble, registered }
    if (exitCode !== EXIT.done)
      return { kind: 'failed', task: null, message: `it ended with ${exitCode}`, registered }
    return { kind: 'done', changed: this.#changed, registered }
  }

  #step({ status, task, register, result, trouble, reason }: StepEvent): void {
    if (status === 'changed') this.#changed += 1
    if (status === 'failed') this.#failure ??= { task, message: trouble?.message ?? 'failed' }
    if (status === 'unknown') this.#undone ??= { task, message: reason ?? 'not known' }
    if (register === undefined || result === undefined) return
    this.#registered.set(register, result)
    this.#told?.(register, result)
  }
}
