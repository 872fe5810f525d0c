import type { UnitState } from '../../src/core/host.ts'

/** A unit that systemd knows, and that does not run. */
export const STOPPED_UNIT: UnitState = {
  load: 'loaded',
  active: 'inactive',
  sub: 'dead',
  enabled: false,
  isStatic: false,
  needsReload: false,
  mainPid: 0,
  hasJob: false,
  activeSinceUs: 0,
}
