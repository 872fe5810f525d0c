import { sysctl } from '../../modules/sysctl.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(sysctl)

const ROOT_FILE = { kind: 'file', mode: 0o644, owner: 'root', group: 'root' } as const
const LIVE = '/proc/sys/net/ipv4/ip_forward'

async function kernel(): Promise<LawWorld> {
  const disk = diskWith('/etc/sysctl.d')
  disk.set(LIVE, { ...ROOT_FILE, content: '0\n' })
  const host = createSimulatedHost({
    name: 'h1',
    disk,
    exec: ([, path = '']) => {
      const value = disk.get(path)?.content.split(' = ')[1] ?? '\n'
      disk.set(LIVE, { ...ROOT_FILE, content: value })
      return { code: 0, stdout: '', stderr: '' }
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

moduleLaws(sysctl, kernel, [
  {
    title: 'a setting',
    args: { name: 'net.ipv4.ip_forward', value: '1' },
    opposite: { name: 'net.ipv4.ip_forward', state: 'absent' },
  },
])
