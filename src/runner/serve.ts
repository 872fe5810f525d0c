import { EXIT, type ExitCode } from '../core/errors.ts'
import { Link, type LinkSettings } from './link.ts'
import { type Places, runPlan } from './run_plan.ts'

export interface ServeSettings extends LinkSettings {
  /** Content hash of the bundle that runs: it runs its own plans only. */
  readonly bundle: string
  readonly places: Places
}

/** One run for one controller, from its plan to the host's summary. Returns the exit code. */
export async function serve(settings: ServeSettings): Promise<ExitCode> {
  const link = new Link(settings)
  try {
    const opening = await link.opening
    return opening === undefined ? EXIT.done : await runPlan(opening, link, settings)
  } catch (error) {
    return link.fail(error)
  } finally {
    await link.close()
  }
}
