import { failoverTrial, type FailoverTrial } from './failover_trial.ts'
import type { Lab } from './lab.ts'
import { adminCredentials } from './writer_process.ts'

/** Cuts the power of h1, the leader, under a writer, and tells a line of time as it happens. */
export async function showFailover(lab: Lab, say: (line: string) => void): Promise<FailoverTrial> {
  const credentials = await adminCredentials(lab, 'h2')
  let first: number | undefined
  const tell = (what: string): void => {
    first ??= Date.now()
    say(`${((Date.now() - first) / 1000).toFixed(1).padStart(5)} s  ${what}`)
  }
  return await failoverTrial(lab, { run: 1, victim: 'h1', credentials, tell })
}

/** The trial's numbers, a row each; the last one is what it is all for. */
export function failoverRows(trial: FailoverTrial): (readonly [what: string, value: string])[] {
  return [
    ['the dead leader was noticed after', seconds(trial.detection)],
    ['promotion took', seconds(trial.promotion)],
    ['no write was accepted for', seconds(trial.gap)],
    ['controllers worked after', seconds(trial.controllers)],
    ['the dead host followed, after its agent was up, within', seconds(trial.returned)],
    ['revisions that went back', String(trial.regressions)],
    ['acknowledged writes lost', String(trial.lost)],
  ]
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'not seen' : `${(ms / 1000).toFixed(2)} s`
}
