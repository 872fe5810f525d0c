import type { ExitCode } from '../core/errors.ts'
import type { Event, HelloEvent, NoteEvent, StepEvent, TroubleEvent } from '../core/events.ts'
import type { ReadySite } from './compile_sites.ts'
import { createPaint, printable, wantsColour } from './paint.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import { troubleText } from './trouble_text.ts'
import type { World } from './world.ts'

/** What a run that only looks found out, host by host. */
export interface Seen {
  readonly hellos: ReadonlyMap<string, HelloEvent>
  /** What its tasks found, by host. */
  readonly steps: ReadonlyMap<string, readonly StepEvent[]>
  readonly exitCode: ExitCode
}

/** Looks at all sites; what goes wrong is told on standard error while it happens. */
export async function look(
  sites: readonly ReadySite[],
  flags: RunFlags,
  world: World,
): Promise<Seen> {
  const hellos = new Map<string, HelloEvent>()
  const steps = new Map<string, StepEvent[]>()
  const emit = (event: Event) => {
    if (event.event === 'hello') hellos.set(event.host, event)
    if (event.event === 'step') steps.set(event.host, [...(steps.get(event.host) ?? []), event])
    if (event.event === 'trouble') tellTrouble(event, world)
    if (event.event === 'note') tellNote(event, world)
  }
  const mode = { check: true, lookOnly: true, report: true }
  const exitCode = await runSites(sites, { flags, mode, emit }, world)
  return { hellos, steps, exitCode }
}

function tellTrouble({ host, trouble }: TroubleEvent, { stderr, env, cwd }: World): void {
  const paint = createPaint(wantsColour(env, stderr.isTerminal))
  stderr.write(`${host === undefined ? '' : `${host}  `}${troubleText(trouble, paint, cwd)}`)
}

function tellNote({ host, level, message }: NoteEvent, { stderr }: World): void {
  stderr.write(`${host === undefined ? '' : `${host}  `}${level} ${printable(message)}\n`)
}
