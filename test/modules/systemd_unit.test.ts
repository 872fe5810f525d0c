import { systemdUnit } from '../../modules/systemd_unit.ts'
import type { UnitState } from '../../src/core/host.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'
import { STOPPED_UNIT } from '../support/stopped_unit.ts'

moduleCases(systemdUnit)

const DONE = { code: 0, stdout: '', stderr: '' }
const PATH = '/etc/systemd/system/hello.service'
const UNIT: UnitState = { ...STOPPED_UNIT, load: 'not-found' }

/** A machine with a systemd of one unit; it knows files only after daemon-reload. */
async function machine(before: Partial<UnitState> = {}): Promise<LawWorld> {
  const disk = diskWith('/etc/systemd/system')
  const units: Record<string, UnitState> = { 'hello.service': { ...UNIT, ...before } }
  const set = (state: Partial<UnitState>) => {
    units['hello.service'] = { ...UNIT, ...units['hello.service'], ...state }
    return DONE
  }
  const host = createSimulatedHost({
    name: 'h1',
    disk,
    units,
    exec: ([command, verb]) => {
      const known = units['hello.service']?.load === 'loaded'
      if (command === 'systemd-analyze') return DONE
      if (verb === 'daemon-reload') return disk.has(PATH) ? set({ load: 'loaded' }) : DONE
      if (verb === 'unmask') return set({ load: disk.has(PATH) ? 'loaded' : 'not-found' })
      if (verb === 'mask') return set({ load: 'masked' })
      if (verb === 'reset-failed') return set({ active: 'inactive' })
      if (!known && verb !== 'stop') return { ...DONE, code: 5, stderr: 'Unit not found.' }
      if (verb === 'enable' || verb === 'reenable') return set({ enabled: true })
      if (verb === 'disable') return set({ enabled: false })
      if (verb === 'stop') return set({ active: 'inactive' })
      return set({ active: 'active' })
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

const content = '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n'
const whole = {
  title: 'a unit of our own',
  args: {
    name: 'hello.service',
    content,
    drop_ins: { 'limits.conf': '[Service]\nLimitNOFILE=1024\n' },
    enabled: true,
    state: 'started',
  },
  opposite: { name: 'hello.service', enabled: false, state: 'stopped' },
}
moduleLaws(systemdUnit, () => machine(), [whole])
moduleLaws(systemdUnit, () => machine({ load: 'masked' }), [{ ...whole, title: 'masked before' }])
moduleLaws(systemdUnit, () => machine({ active: 'failed' }), [{ ...whole, title: 'failed before' }])
moduleLaws(systemdUnit, () => machine({ load: 'loaded', active: 'active' }), [
  { title: 'never again', args: { name: 'hello.service', state: 'stopped', masked: true } },
])
