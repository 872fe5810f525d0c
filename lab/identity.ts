import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BaseImage } from './base.ts'
import { must } from './command.ts'
import { hostRoot, identityLayer, overlayMount, removeUnmounted, unmountBelow } from './disks.ts'
import {
  HOST_NAMES,
  labAddresses,
  peerOf,
  type HostName,
  type LabAddresses,
  type LabObjects,
} from './names.ts'
import { sourcesList } from './repository.ts'
import { labDirectory, type LabState } from './state.ts'

/** The password with which `opspw` may use sudo; sshd takes no passwords. */
export const SUDO_PASSWORD = 'lab-password'

/** Whom to log in as. h1 takes root with a key, h2 refuses root: so that both ways are exercised. */
export const LOGIN_USERS: Readonly<Record<HostName, string>> = { h1: 'root', h2: 'ops' }

/** Users of h2: `ops` has sudo without a password, `opspw` needs {@link SUDO_PASSWORD} for it. */
const H2_USERS = ['ops', 'opspw']

export function keyFile(lab: string): string {
  return join(labDirectory(lab), 'id_ed25519')
}

export function knownHostsFile(lab: string): string {
  return join(labDirectory(lab), 'known_hosts')
}

/** How to reach a host of the lab. */
export interface LabHost {
  readonly address: string
  readonly user: string
  readonly keyFile: string
  readonly netns: string
}

/** How to reach both hosts of a lab. */
export function labHosts(
  objects: LabObjects,
  addresses: LabAddresses,
): Readonly<Record<HostName, LabHost>> {
  const host = (name: HostName): LabHost => ({
    address: addresses.hosts[name],
    user: LOGIN_USERS[name],
    keyFile: keyFile(objects.name),
    netns: objects.hosts[name].machine,
  })
  return { h1: host('h1'), h2: host('h2') }
}

/**
 * Makes what each host has of its own, once for the life of a lab: resets keep it, so that
 * known_hosts stays true.
 */
export async function makeIdentities(state: LabState, base: BaseImage): Promise<void> {
  const directory = labDirectory(state.name)
  const done = join(directory, 'identity', 'complete')
  if (existsSync(done)) return
  await removeUnmounted(join(directory, 'identity'))
  await makeKey(keyFile(state.name), `lab ${state.name}`)
  await rm(knownHostsFile(state.name), { force: true })
  for (const host of HOST_NAMES) await makeIdentity(state, host, base)
  await writeFile(done, '')
}

async function makeIdentity(state: LabState, host: HostName, base: BaseImage): Promise<void> {
  const addresses = labAddresses(state.index)
  const upper = identityLayer(state.name, host)
  const work = `${upper}.work`
  const root = hostRoot(state.name, host)
  for (const path of [upper, work, root]) await mkdir(path, { recursive: true })
  await unmountBelow(root)
  await must(overlayMount([base.root], { upper, work }, root))
  try {
    await writeFiles(root, identityFiles(state.name, host, addresses))
    const hostKey = join(root, 'etc/ssh/ssh_host_ed25519_key')
    await makeKey(hostKey, `root@${host}`)
    const publicKey = (await readFile(`${hostKey}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ')
    await appendFile(knownHostsFile(state.name), `${addresses.hosts[host]} ${publicKey}\n`)
    await makeUsers(root, host, await readFile(`${keyFile(state.name)}.pub`, 'utf8'))
  } finally {
    await unmountBelow(root)
    await removeUnmounted(work)
  }
}

/** Files in which two hosts differ, by path. */
export function identityFiles(
  lab: string,
  host: HostName,
  addresses: LabAddresses,
): Record<string, string> {
  const peer = peerOf(host)
  return {
    'etc/hostname': `${host}\n`,
    'etc/hosts': [
      '127.0.0.1 localhost',
      '::1 localhost ip6-localhost ip6-loopback',
      `${addresses.hosts[host]} ${host}`,
      `${addresses.hosts[peer]} ${peer}`,
      '',
    ].join('\n'),
    'etc/machine-id': `${createHash('md5').update(`${lab} ${host}`).digest('hex')}\n`,
    'etc/apt/sources.list': sourcesList(addresses.gateway),
    'etc/apt/apt.conf.d/90lab': 'Acquire::Languages "none";\nAcquire::Retries "3";\n',
    'etc/ssh/sshd_config.d/lab.conf': [
      'HostKey /etc/ssh/ssh_host_ed25519_key',
      'PasswordAuthentication no',
      `PermitRootLogin ${LOGIN_USERS[host] === 'root' ? 'prohibit-password' : 'no'}`,
      'UseDNS no',
      '',
    ].join('\n'),
    'etc/systemd/journald.conf.d/lab.conf': '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n',
    // An empty file masks.
    ...Object.fromEntries(
      IDLE_GENERATORS.map((name) => [
        `etc/systemd/system-generators/systemd-${name}-generator`,
        '',
      ]),
    ),
  }
}

/**
 * Programs of systemd that run at each reload and each boot, and have nothing to find on a host without
 * disks, consoles and kernel of its own: half of what a reload costs.
 */
const IDLE_GENERATORS = [
  'cryptsetup',
  'debug',
  'getty',
  'gpt-auto',
  'hibernate-resume',
  'integritysetup',
  'rc-local',
  'run',
  'system-update',
  'veritysetup',
]

async function writeFiles(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
}

async function makeUsers(root: string, host: HostName, publicKey: string): Promise<void> {
  if (host === 'h1') return await authorize(join(root, 'root'), publicKey)
  for (const user of H2_USERS) {
    // '*' matches no password, but unlike '!' does not lock the account for sshd.
    const flags = ['--create-home', '--shell', '/bin/bash', '--password', '*']
    await must(['chroot', root, 'useradd', ...flags, user])
    const id = async (flag: string): Promise<number> =>
      Number(await must(['chroot', root, 'id', flag, user]))
    const owner = { uid: await id('--user'), gid: await id('--group') }
    await authorize(join(root, 'home', user), publicKey, owner)
  }
  await must(['chroot', root, 'chpasswd'], { stdin: `opspw:${SUDO_PASSWORD}\n` })
  const sudoers = join(root, 'etc/sudoers.d/lab')
  await writeFile(sudoers, 'ops ALL=(ALL:ALL) NOPASSWD: ALL\nopspw ALL=(ALL:ALL) ALL\n')
  await chmod(sudoers, 0o440)
}

async function authorize(
  home: string,
  publicKey: string,
  owner: { uid: number; gid: number } = { uid: 0, gid: 0 },
): Promise<void> {
  const directory = join(home, '.ssh')
  const file = join(directory, 'authorized_keys')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(file, publicKey, { mode: 0o600 })
  for (const path of [directory, file]) await chown(path, owner.uid, owner.gid)
}

async function makeKey(file: string, comment: string): Promise<void> {
  if (existsSync(file) && existsSync(`${file}.pub`)) return
  await rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true })
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
}
