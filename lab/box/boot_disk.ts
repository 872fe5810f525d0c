import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must } from '../command.ts'
import { LabError } from '../lab_error.ts'

/** What a guest may write; the file behind it grows with what is written. */
const DISK_GIB = 8

/** Where the partition begins: what boot loaders have left free since disks have 4 KiB sectors. */
const OFFSET_BYTES = 1024 * 1024

/** The kernel of a guest and the ramdisk that goes with it, by their names in /boot. */
export interface Kernel {
  readonly kernel: string
  readonly ramdisk: string
}

/** The one kernel of a root directory. */
export async function kernelOf(root: string): Promise<Kernel> {
  const kernel = (await readdir(join(root, 'boot'))).find((name) => name.startsWith('vmlinuz-'))
  if (kernel === undefined)
    throw new LabError(
      `${root}/boot holds no kernel`,
      'Remove the box from the cache and run it again.',
    )
  return { kernel, ramdisk: kernel.replace('vmlinuz-', 'initrd.img-') }
}

/** The console is on the serial port, where a guest that does not come up tells why. */
export function bootMenu({ kernel, ramdisk }: Kernel): string {
  return [
    'DEFAULT linux',
    'LABEL linux',
    `  LINUX /boot/${kernel}`,
    `  INITRD /boot/${ramdisk}`,
    '  APPEND root=/dev/vda1 ro net.ifnames=0 console=ttyS0',
    '',
  ].join('\n')
}

/** A disk that boots from a root directory: one ext4 partition, extlinux in its boot record. */
export async function makeBootDisk(root: string, directory: string): Promise<string> {
  const [partition, raw] = [join(directory, 'partition'), join(directory, 'disk.raw')]
  await must(['mkdir', '-p', join(root, 'boot/extlinux')])
  await writeFile(join(root, 'boot/extlinux/extlinux.conf'), bootMenu(await kernelOf(root)))
  await must(['truncate', '-s', `${DISK_GIB}G`, partition])
  // extlinux reads neither 64-bit block groups nor checksums of metadata.
  const features = '^64bit,^metadata_csum'
  await must(['mkfs.ext4', '-q', '-F', '-O', features, '-d', root, partition], {
    timeoutMs: 300_000,
  })
  await must(['truncate', '-s', `${DISK_GIB * 1024 + 4}M`, raw])
  await must(['sfdisk', '-q', raw], { stdin: 'label: dos\nstart=2048, type=83, bootable\n' })
  const whole = ['conv=notrunc,sparse', 'status=none']
  await must(['dd', `if=${partition}`, `of=${raw}`, 'bs=1M', 'seek=1', ...whole], {
    timeoutMs: 300_000,
  })
  await rm(partition)
  const record = '/usr/lib/EXTLINUX/mbr.bin'
  await must(['dd', `if=${record}`, `of=${raw}`, 'bs=440', 'count=1', ...whole])
  await installLoader(raw, join(directory, 'mounted'))
  return raw
}

async function installLoader(raw: string, mounted: string): Promise<void> {
  const loop = ['losetup', '--find', '--show', '--offset', String(OFFSET_BYTES), raw]
  const device = (await must(loop)).trim()
  try {
    await must(['mkdir', mounted])
    await must(['mount', device, mounted])
    try {
      await must(['extlinux', '--install', join(mounted, 'boot/extlinux')])
    } finally {
      await must(['umount', mounted])
    }
  } finally {
    await must(['losetup', '--detach', device])
  }
}
