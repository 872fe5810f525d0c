import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheEntry, cacheRoot, recipeHash } from './cache.ts'
import { must } from './command.ts'

export const SUITE = 'bookworm'

/** A bare host: systemd, sshd and sudo, and nothing of what a converge must bring by itself. */
export const BARE_HOST_PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'sudo',
  'iproute2',
  'iputils-ping',
  'iputils-arping',
  'procps',
  'ca-certificates',
  'nftables',
]

/** Units that a lab host does without: they take the dpkg lock or the CPU at moments of their own. */
export const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'console-getty.service',
]

/** Raised when {@link strip} changes: old base images are then left alone and a new one is made. */
const RECIPE_VERSION = 2

export interface BaseImage {
  /** Root directory of the image; read only for everybody. */
  readonly root: string
  /** Digest of its recipe. */
  readonly id: string
}

/**
 * The root directory that all hosts of all labs share, made by mmdebstrap once.
 * @param python - also install Python, for measuring tools that need it on the hosts.
 */
export async function baseImage(python: boolean): Promise<BaseImage> {
  const packages = python ? [...BARE_HOST_PACKAGES, 'python3'] : BARE_HOST_PACKAGES
  const id = recipeHash({ SUITE, packages, MASKED_UNITS, RECIPE_VERSION })
  const entry = await cacheEntry(join(cacheRoot(), `base-${id}`), async (directory) => {
    const root = join(directory, 'root')
    const include = `--include=${packages.join(',')}`
    await must(['mmdebstrap', '--quiet', '--variant=minbase', include, SUITE, root], {
      timeoutMs: 900_000,
    })
    await strip(root)
  })
  return { root: join(entry, 'root'), id }
}

/** Removes what each host must have of its own, and what the build machine's settings left. */
async function strip(root: string): Promise<void> {
  const ssh = join(root, 'etc/ssh')
  for (const name of await readdir(ssh)) if (name.startsWith('ssh_host_')) await rm(join(ssh, name))
  for (const path of ['etc/hostname', 'etc/resolv.conf', 'etc/machine-id'])
    await rm(join(root, path), { force: true })
  // Empty, not missing: a resolver that nobody answers makes sudo wait 10 s a call.
  await writeFile(join(root, 'etc/resolv.conf'), '')
  await rm(join(root, 'etc/apt/sources.list'), { force: true })
  const units = join(root, 'etc/systemd/system')
  await mkdir(units, { recursive: true })
  for (const unit of MASKED_UNITS) await symlink('/dev/null', join(units, unit))
}
