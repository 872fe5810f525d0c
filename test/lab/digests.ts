import { inHost } from './pair.ts'
import type { HostName } from '../../lab/names.ts'

/** What a check may leave behind, and what a running Debian writes by itself. */
// oxfmt-ignore
const NOT_COUNTED = ['/opt/twonode', '/proc', '/sys', '/dev', '/run', '/tmp', '/var/tmp', '/var/log', '/var/lib/systemd', '/var/cache/ldconfig', '/etc/resolv.conf']

export interface Digests {
  readonly files: string
  readonly packages: string
}

/** One digest over every file's path, mode, owner and content, and one over the installed packages. */
export async function digests(host: HostName): Promise<Digests> {
  const prune = NOT_COUNTED.flatMap((path, index) =>
    index === 0 ? ['-path', path] : ['-o', '-path', path],
  )
  const listed = await inHost(host, [
    'find',
    '/',
    '-xdev',
    '(',
    ...prune,
    ')',
    '-prune',
    '-o',
    '-printf',
    '%y %m %u:%g %l %p\\n',
  ])
  const files = listed
    .split('\n')
    .filter((line) => line.startsWith('f '))
    .map((line) => line.slice(line.indexOf(' /') + 1))
  const sums: string[] = []
  // In portions: an argument list has a bound.
  for (let from = 0; from < files.length; from += 500)
    sums.push(await inHost(host, ['sha256sum', '--', ...files.slice(from, from + 500)]))
  const packages = await inHost(host, [
    'dpkg-query',
    '-W',
    '-f',
    '${Package} ${Version} ${db:Status-Abbrev}\\n',
  ])
  return { files: [...listed.split('\n').toSorted(), ...sums].join('\n'), packages }
}
