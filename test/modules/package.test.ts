import { packageModule } from '../../modules/package.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(packageModule)

const DONE = { code: 0, stdout: '', stderr: '' }

/** A machine whose apt-get and dpkg keep a list of packages; `half`: cut while it installed these. */
async function debian(half: readonly string[] = []): Promise<LawWorld> {
  const packages: Record<string, string> = {}
  let unfinished = [...half]
  const host = createSimulatedHost({
    name: 'h1',
    disk: diskWith('/var/lib/dpkg/updates', '/usr/sbin'),
    packages,
    exec: (argv) => {
      if (argv[0] === 'dpkg' && argv[1] === '--audit')
        return { ...DONE, stdout: unfinished.map((name) => ` ${name}\n`).join('') }
      if (argv[0] === 'dpkg') return { ...DONE, code: unfinished.length === 0 ? 0 : 1 }
      const names = argv.filter((word) => /^[a-z][a-z0-9-]+$/.test(word)).slice(1)
      const verb = argv.find((word) => ['install', 'remove', 'purge', 'update'].includes(word))
      const rest = names.filter((word) => word !== verb && word !== 'apt-get')
      if (verb === 'install' && argv.includes('--fix-broken')) {
        for (const name of unfinished) packages[name] = '1'
        unfinished = []
      } else if (verb === 'install' && unfinished.length > 0) return { ...DONE, code: 100 }
      else if (verb === 'install') for (const name of rest) packages[name] = '1'
      else if (verb !== 'update') for (const name of rest) Reflect.deleteProperty(packages, name)
      return DONE
    },
  })
  return { host, root: '/srv', dispose: async () => {} }
}

const fixtures = [
  {
    title: 'several packages',
    args: { name: ['haproxy', 'iproute2'] },
    opposite: { name: ['haproxy', 'iproute2'], state: 'absent' },
  },
  { title: 'without starting services', args: { name: 'haproxy', start: false } },
]
moduleLaws(packageModule, () => debian(), fixtures)
moduleLaws(packageModule, () => debian(['haproxy']), fixtures.slice(1))
