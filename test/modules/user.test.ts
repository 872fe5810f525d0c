import { user } from '../../modules/user.ts'
import { createSimulatedHost, diskWith, type Disk } from '../support/simulated_host.ts'
import { moduleCases } from '../support/module_cases.ts'
import { type LawWorld, moduleLaws } from '../support/module_laws.ts'

moduleCases(user)

const ROOT_FILE = { kind: 'file', mode: 0o644, owner: 'root', group: 'root' } as const

/** A machine whose useradd, usermod and userdel edit its passwd and group files. */
async function machine(): Promise<LawWorld> {
  const disk = diskWith('/etc')
  disk.set('/etc/passwd', { ...ROOT_FILE, content: 'root:x:0:0:root:/root:/bin/bash\n' })
  disk.set('/etc/group', { ...ROOT_FILE, content: 'root:x:0:\nsudo:x:27:\n' })
  const host = createSimulatedHost({ name: 'h1', disk, exec: (argv) => edit(disk, argv) })
  return { host, root: '/srv', dispose: async () => {} }
}

function edit(disk: Disk, argv: readonly string[]) {
  const [verb = ''] = argv
  const name = argv.at(-1) ?? ''
  const option = (flag: string) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined)
  const change = (path: string, by: (rows: string[]) => string[]) => {
    const rows = (disk.get(path)?.content ?? '').split('\n').filter((row) => row !== '')
    disk.set(path, { ...ROOT_FILE, content: `${by(rows).join('\n')}\n` })
  }
  const old = /^(?:[^:]*:){5}([^:]*):(.*)$/m.exec(
    (disk.get('/etc/passwd')?.content ?? '')
      .split('\n')
      .find((row) => row.startsWith(`${name}:`)) ?? '',
  )
  const others = (rows: string[]) => rows.filter((row) => !row.startsWith(`${name}:`))
  const home = option('--home-dir') ?? option('--home') ?? old?.[1] ?? `/home/${name}`
  const row = `${name}:x:999:999::${home}:${option('--shell') ?? old?.[2] ?? '/bin/sh'}`
  change('/etc/passwd', (rows) => (verb === 'userdel' ? others(rows) : [...others(rows), row]))
  if (verb === 'userdel') change('/etc/group', others)
  if (argv.includes('--user-group')) change('/etc/group', (rows) => [...rows, `${name}:x:999:`])
  const groups = option('--groups')?.split(',') ?? []
  change('/etc/group', (rows) =>
    rows.map((group) => (groups.includes(group.split(':')[0] ?? '') ? `${group}${name}` : group)),
  )
  return { code: 0, stdout: '', stderr: '' }
}

moduleLaws(user, machine, [
  {
    title: 'a user for a service',
    args: { name: 'kine', system: true, home: '/nonexistent', shell: '/usr/sbin/nologin' },
    opposite: { name: 'kine', state: 'absent' },
  },
  { title: 'a user in a group', args: { name: 'ana', groups: ['sudo'] } },
])
