import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take long, roughly. A fresh clone remembers no durations, and vitest would begin with the
 * longest texts: the longest waits must not begin when the others are done.
 * @unit seconds
 */
const LONG: Readonly<Record<string, number>> = {
  'lab/sequences_cut': 290,
  'lab/cut_from_packages': 215,
  'lab/sandwich': 195,
  'lab/scenarios/expiring_keys': 165,
  'lab/sequences': 160,
  'lab/scenarios/replacement': 150,
  'lab/scenarios/failover': 150,
  'lab/cut_from_bare': 120,
  'lab/scenarios/cut_off': 138,
  'lab/scenarios/broken_leader': 115,
  'lab/laptops': 95,
  'lab/scenarios/replication': 90,
  'lab/scenarios/cut_by_power': 60,
  'lab/scenarios/no_change_of_roles': 57,
  'lab/agent': 56,
  'lab/sequences_modes': 55,
  'lab/reboot': 40,
  'lab/pair_troubles': 40,
  'lab/troubles': 35,
  'modules/postgres_cluster': 50,
  'agent/daemon': 35,
  'remote/patience': 34,
  'runner/serve': 30,
  'remote/session': 14,
  'modules/postgres_subscription_changes': 12,
  'modules/postgres_subscription': 12,
  'host/exec': 11,
  'host/postgres': 11,
  'remote/known_hosts': 10,
  'remote/connect': 10,
}

/** The order of the test files: what is known to take long begins first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => groupOf(a) - groupOf(b) || secondsOf(b) - secondsOf(a))
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder
}

function secondsOf({ moduleId, project }: TestSpecification): number {
  const name = relative(project.config.root, moduleId).replace(/^test\/(.*)\.test\.ts$/, '$1')
  return LONG[name] ?? 0
}
