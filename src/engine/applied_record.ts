import { dirname } from 'node:path'
import type { Change } from '../core/change.ts'
import { apply, type Bounds } from './apply.ts'
import type { Run } from './ports.ts'

/** Says who converged a host last, on every host; read into the runner's hello. */
export const APPLIED_FILE = '/etc/twonode/applied.json'

const ROOT = { owner: 'root', group: 'root' } as const

/** Written at the end of a run that changed something and was in no hurry, and only then. */
export async function recordApplied(run: Run, bounds: Bounds): Promise<void> {
  const { host, plan, options, appliedFile: path } = run
  const folder = dirname(path)
  const changes: Change[] = []
  if ((await host.stat(folder)) === undefined)
    changes.push({ kind: 'directory', path: folder, mode: 0o755, ...ROOT })
  const before = await host.readFile(path)
  const { by, runId } = options
  const at = new Date(host.now()).toISOString()
  const record = { format: 1, version: plan.version, by, at, runId }
  const content = `${JSON.stringify(record)}\n`
  changes.push({ kind: 'write', path, content, mode: 0o644, ...ROOT, before })
  for (const change of changes) {
    run.journal.intend('applied', change)
    await apply(host, change, bounds)
    run.journal.done('applied')
  }
}
