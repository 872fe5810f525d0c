import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take long, roughly. A fresh clone remembers no durations, and vitest would begin with the
 * longest texts: the longest waits must not begin when the others are done.
 * @unit seconds
 */
const LONG: Readonly<Record<string, number>> = {
  'lab/cut_from_packages': 180,
  'lab/sequences_cut': 160,
  'lab/scenarios/expiring_keys': 150,
  'lab/sandwich': 125,
  'lab/scenarios/failover': 125,
  'lab/cut_from_bare': 125,
  'lab/scenarios/upgrade': 140,
  'lab/scenarios/cut_off': 110,
  'lab/scenarios/replacement': 95,
  'lab/scenarios/both_off': 80,
  'lab/scenarios/broken_leader': 80,
  'lab/scenarios/replication': 75,
  'lab/sequences': 65,
  'lab/scenarios/no_change_of_roles': 60,
  'lab/agent': 60,
  'lab/reboot': 60,
  'lab/scenarios/full_disks': 60,
  'lab/scenarios/postgres_major': 55,
  'lab/laptops': 55,
  'lab/scenarios/operator': 55,
  'lab/sequences_modes': 45,
  'lab/troubles': 39,
  'lab/faults': 35,
  'lab/pair_troubles': 31,
  'lab/role': 27,
  'lab/scenarios/follower': 20,
  'lab/systemd_unit': 20,
  'lab/round_trips': 18,
  'lab/scenarios/cut_by_power': 18,
  'lab/site_file': 17,
  'scenarios/seeds_1': 100,
  'scenarios/seeds_2': 100,
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
