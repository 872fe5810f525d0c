import { virtualIp } from '../../modules/virtual_ip.ts'
import type { Host } from '../../src/core/host.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(virtualIp)

let made = 0

/** A network namespace of its own with one interface; nobody is there to hear the announcement. */
async function namespace(): Promise<LawWorld> {
  made += 1
  const name = `tn-vip-${process.pid}-${made}`
  const inside = ['ip', 'netns', 'exec', name]
  const outer = await localWorld()
  const exec: Host['exec'] = async (argv, options) => await outer.host.exec(argv, options)
  await exec(['ip', 'netns', 'add', name])
  await exec([...inside, 'ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'eth1'])
  await exec([...inside, 'ip', 'address', 'add', '10.77.0.11/24', 'dev', 'eth0'])
  const host: Host = {
    ...outer.host,
    exec: async (argv, options) => await exec([...inside, ...argv], options),
  }
  const dispose = async () => {
    await exec(['ip', 'netns', 'del', name])
    await outer.dispose()
  }
  return { ...outer, host, dispose }
}

const args = { address: '10.77.0.10', prefix: 24, interface: 'eth0' }
moduleLaws(virtualIp, namespace, [
  { title: 'on the leader', args, opposite: { ...args, state: 'absent' } },
])
