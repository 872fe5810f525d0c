import { kineEndpoint } from '../../modules/kine_endpoint.ts'
import type { UnitState } from '../../src/core/host.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'
import { STOPPED_UNIT } from '../support/stopped_unit.ts'

moduleCases(kineEndpoint)

const UNIT: UnitState = { ...STOPPED_UNIT, enabled: true }
const ROOT_FILE = { kind: 'file', mode: 0o644, owner: 'root', group: 'root' } as const

/** A machine whose kine has the environment that its file had when it was started. */
async function machine(startedWith?: string): Promise<LawWorld> {
  const disk = diskWith('/etc/twonode')
  const units: Record<string, UnitState> = { 'kine.service': UNIT }
  const start = (environment: string) => {
    disk.set('/proc/42/environ', { ...ROOT_FILE, content: environment })
    units['kine.service'] = { ...UNIT, active: 'active', mainPid: 42 }
  }
  if (startedWith !== undefined) start(startedWith)
  const host = createSimulatedHost({
    name: 'h1',
    disk,
    units,
    exec: ([, verb]) => {
      const file = disk.get('/etc/twonode/kine.env')?.content ?? ''
      if (verb === 'restart') start(file.replaceAll(/^#.*\n|"/gm, '').replaceAll('\n', '\0'))
      return { code: 0, stdout: '', stderr: '' }
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

const args = { address: '10.77.0.12', port: 5432, database: 'kine' }
moduleLaws(kineEndpoint, () => machine(), [{ title: 'before kine runs', args }])
moduleLaws(
  kineEndpoint,
  () => machine('KINE_ENDPOINT=postgres://kine@10.77.0.11:5432/kine?sslmode=verify-full\0'),
  [{ title: 'a kine that uses the other database', args }],
)
