import type { Event } from '../core/events.ts'
import type { World } from './world.ts'

/** How a run is shown. */
export interface ReportOptions {
  readonly json: boolean
  /** Show the differences of files. */
  readonly diff: boolean
  /** Also name what had nothing to do. */
  readonly verbose: boolean
  /** `run` shows what commands said, `verify` ends with a verdict. */
  readonly purpose?: 'run' | 'verify'
}

/** Renders events. The reporters are the only code that prints a run. */
export interface Report {
  emit(event: Event): void
  /** Everything is out; a status line is gone from the terminal. */
  end(): void
}

/** The reporter that fits. Loaded when needed: `--json` runs never load the terminal's. */
export async function createReport(world: World, options: ReportOptions): Promise<Report> {
  if (options.json) {
    const { jsonReport } = await import('./report_json.ts')
    return jsonReport(world.stdout)
  }
  const { textReport } = await import('./report_text.ts')
  return await textReport(world, options)
}
