import { virtualIp } from '../../modules/virtual_ip.ts'
import { createSimulatedHost } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(virtualIp)

/** A machine whose `ip` keeps the addresses of eth0. */
async function machine(): Promise<LawWorld> {
  const addresses = new Set(['10.77.0.11/24'])
  const host = createSimulatedHost({
    name: 'h1',
    exec: (argv) => {
      const [command, , verb, address = ''] = argv
      if (command === 'ip' && verb === 'add') addresses.add(address)
      if (command === 'ip' && verb === 'del') addresses.delete(address)
      const info = [...addresses].map((one) => {
        const [local, prefix] = one.split('/')
        return { local, prefixlen: Number(prefix) }
      })
      return { code: 0, stdout: JSON.stringify([{ ifname: 'eth0', addr_info: info }]), stderr: '' }
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

const args = { address: '10.77.0.10', prefix: 24, interface: 'eth0' }
moduleLaws(virtualIp, machine, [
  { title: 'on the leader', args, opposite: { ...args, state: 'absent' } },
])
