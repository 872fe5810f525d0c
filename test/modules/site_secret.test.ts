import { siteSecret } from '../../modules/site_secret.ts'
import { SITE_SECRET_FILES } from '../../src/core/host.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(siteSecret)

async function machine(): Promise<LawWorld> {
  const disk = diskWith('/etc/twonode', '/etc/twonode/pki')
  const { ca, 'k3s-token': token } = SITE_SECRET_FILES
  const put = (path: string, mode: number) =>
    disk.set(path, { kind: 'file', content: 'made', mode, owner: 'root', group: 'root' })
  const host = createSimulatedHost({
    name: 'h1',
    disk,
    obtain: async (name) => {
      if (name === 'ca') put(ca.certificate, 0o644)
      put(name === 'ca' ? ca.key : token.key, 0o600)
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

moduleLaws(siteSecret, machine, [
  { title: 'the authority', args: { name: 'ca' } },
  { title: 'the token', args: { name: 'k3s-token' } },
])
