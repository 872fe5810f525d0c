import { chmod, copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { BARE_HOST_PACKAGES, baseImage, MASKED_UNITS, SUITE } from '../base.ts'
import { cacheEntry, cacheRoot, recipeHash } from '../cache.ts'
import { must, run } from '../command.ts'
import { LabError } from '../lab_error.ts'
import { timed, type Progress } from '../progress.ts'
import { debianRepository } from '../repository.ts'
import { kernelOf, makeBootDisk } from './boot_disk.ts'

/** What a virtual machine needs over a bare host: a kernel, its loader, and an address by DHCP. */
const PACKAGES = [
  ...BARE_HOST_PACKAGES,
  'linux-image-cloud-amd64',
  'initramfs-tools',
  'ifupdown',
  'isc-dhcp-client',
  'udev',
]

/** Raised when {@link furnish} or the disk's layout changes. */
const RECIPE_VERSION = 1

/** Where the guest has the Debian packages that a pair needs: it reaches no mirror. */
const PACKAGES_IN_GUEST = 'var/lib/twonode-lab/packages'

export interface Box {
  /** By which Vagrant knows it. */
  readonly name: string
  readonly file: string
  /** The guest's own, for {@link chooseAccelerator}. */
  readonly kernel: string
}

/** A Debian 12 box for libvirt, made from Debian's packages and kept by its content; no catalogue needed. */
export async function debianBox(progress: Progress): Promise<Box> {
  const repository = await debianRepository(await baseImage(false))
  const key = await firstKey()
  const parts = { PACKAGES, MASKED_UNITS, repository: basename(repository), key }
  const id = recipeHash({ SUITE, RECIPE_VERSION, ...parts })
  const entry = await cacheEntry(join(cacheRoot(), `box-${id}`), (directory) =>
    timed(progress, 'a Debian 12 box', () => buildBox(directory, repository, key)),
  )
  return {
    name: `twonode-debian12-${id}`,
    file: join(entry, 'debian12.box'),
    kernel: join(entry, 'vmlinuz'),
  }
}

/** The public key that every box admits, until Vagrant puts one of its own in its place. */
async function firstKey(): Promise<string> {
  const { stdout } = await run(['dpkg-query', '--listfiles', 'vagrant'])
  const path = firstKeyPath(stdout)
  if (path !== undefined) return await readFile(path, 'utf8')
  throw new LabError(
    "Debian's package of Vagrant is not installed: a box admits Vagrant by a key of that package",
    'apt-get install vagrant vagrant-libvirt, or name a box that you have in TWONODE_BOX.',
    { exitCode: 2 },
  )
}

/** Its path among the files of Debian's package: the version of Vagrant is in it. */
export function firstKeyPath(files: string): string | undefined {
  return files.split('\n').find((path) => path.endsWith('/keys/vagrant.pub'))
}

async function buildBox(directory: string, repository: string, key: string): Promise<void> {
  const root = join(directory, 'root')
  const include = `--include=${PACKAGES.join(',')}`
  await must(
    ['mmdebstrap', '--quiet', '--variant=minbase', '--format=directory', include, SUITE, root],
    { timeoutMs: 900_000 },
  )
  await furnish(root, repository, key)
  await copyFile(join(root, 'boot', (await kernelOf(root)).kernel), join(directory, 'vmlinuz'))
  const raw = await makeBootDisk(root, directory)
  const compress = ['qemu-img', 'convert', '-O', 'qcow2', '-c', raw, join(directory, 'box.img')]
  await must(compress, { timeoutMs: 600_000 })
  for (const path of [root, raw, join(directory, 'mounted')])
    await rm(path, { recursive: true, force: true })
  await writeFile(join(directory, 'metadata.json'), boxMetadata())
  const members = ['metadata.json', 'box.img']
  await must(['tar', '-C', directory, '-cf', join(directory, 'debian12.box'), ...members])
  await rm(join(directory, 'box.img'))
}

/** As vagrant-libvirt wants it; the size is in whole GiB, and not under the disk's. */
export function boxMetadata(): string {
  return `${JSON.stringify({ provider: 'libvirt', format: 'qcow2', virtual_size: 9 })}\n`
}

/** The files of a guest, by their paths: who may log in, its links, and where its packages are. */
export function guestFiles(key: string): Readonly<Record<string, string>> {
  return {
    'etc/hostname': 'twonode-box\n',
    'etc/fstab': '/dev/vda1 / ext4 errors=remount-ro 0 1\n',
    'etc/network/interfaces': [
      'auto lo',
      'iface lo inet loopback',
      'allow-hotplug eth0',
      'iface eth0 inet dhcp',
      'source /etc/network/interfaces.d/*',
      '',
    ].join('\n'),
    'etc/apt/sources.list': `deb [trusted=yes] file:/${PACKAGES_IN_GUEST} ./\n`,
    'etc/sudoers.d/vagrant': 'vagrant ALL=(ALL) NOPASSWD: ALL\n',
    // Keys of its own at the first boot: two guests of one box must not share them.
    'etc/systemd/system/ssh.service.d/keys.conf':
      '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n',
    'home/vagrant/.ssh/authorized_keys': key,
  }
}

async function furnish(root: string, repository: string, key: string): Promise<void> {
  await must(['chroot', root, 'useradd', '--create-home', '--shell', '/bin/bash', 'vagrant'])
  for (const [path, content] of Object.entries(guestFiles(key))) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), content)
  }
  await chmod(join(root, 'home/vagrant/.ssh'), 0o700)
  await must(['chroot', root, 'chown', '-R', 'vagrant:vagrant', '/home/vagrant/.ssh'])
  await must(['sh', '-c', 'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf', 'sh', root])
  await writeFile(join(root, 'etc/machine-id'), '')
  await cp(repository, join(root, PACKAGES_IN_GUEST), { recursive: true })
  for (const unit of MASKED_UNITS)
    await symlink('/dev/null', join(root, 'etc/systemd/system', unit))
}
