import { expect, test } from 'vitest'
import { judgeTrial, keptChoice } from '../../lab/box/accelerator.ts'
import { knowsBox } from '../../lab/box/add_box.ts'
import { bootMenu } from '../../lab/box/boot_disk.ts'
import { boxMetadata, firstKeyPath, guestFiles } from '../../lab/box/box.ts'

const ended = { code: 0, stdout: '', stderr: '' }

test('a guest that came as far as its missing disk shows that KVM works', () => {
  const stdout =
    '[    1.9] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n'
  expect(judgeTrial({ ...ended, stdout }).accelerator).toBe('kvm')
})

test('a guest that hangs under KVM, and a machine without it, mean emulation, and say why', () => {
  expect(judgeTrial({ ...ended, code: -1 })).toEqual({
    accelerator: 'qemu',
    why: 'a guest under KVM does not boot in 20 s; emulation is slow, and works',
  })
  const stderr = 'Could not access KVM kernel module: No such file or directory\n'
  expect(judgeTrial({ ...ended, code: 1, stderr }).why).toContain(stderr.trim())
})

test('what a trial showed holds for that boot of the machine alone, and only whole', () => {
  const choice = { accelerator: 'kvm', why: 'a guest boots under KVM' }
  expect(keptChoice('b1\nkvm\na guest boots under KVM\n', 'b1')).toEqual(choice)
  expect(keptChoice('b1\nkvm\na guest boots under KVM\n', 'b2')).toBeUndefined()
  expect(keptChoice('b1\nkv', 'b1')).toBeUndefined()
  expect(keptChoice('', 'b1')).toBeUndefined()
})

test('Vagrant knows a box by its whole name', () => {
  const list = 'twonode-debian12-a1 (libvirt, 0)\ndebian/bookworm64   (libvirt, 12.1)\n'
  expect(knowsBox(list, 'twonode-debian12-a1')).toBe(true)
  expect(knowsBox(list, 'twonode-debian12-a')).toBe(false)
  expect(knowsBox('There are no installed boxes!\n', 'twonode-debian12-a1')).toBe(false)
})

test('the box admits the key that came with Vagrant, takes packages from its own disk, and boots to a console', () => {
  const path = '/usr/share/rubygems-integration/all/gems/vagrant-2.3.4/keys/vagrant.pub'
  expect(firstKeyPath(`/.\n${path}\n/usr/bin/vagrant\n`)).toBe(path)
  expect(firstKeyPath('')).toBeUndefined()
  const files = guestFiles('ssh-rsa AAAA vagrant\n')
  expect(files['home/vagrant/.ssh/authorized_keys']).toBe('ssh-rsa AAAA vagrant\n')
  expect(files['etc/apt/sources.list']).toBe(
    'deb [trusted=yes] file:/var/lib/twonode-lab/packages ./\n',
  )
  expect(bootMenu({ kernel: 'vmlinuz-6.1', ramdisk: 'initrd.img-6.1' })).toContain('console=ttyS0')
  expect(JSON.parse(boxMetadata())).toMatchObject({ provider: 'libvirt', format: 'qcow2' })
})
