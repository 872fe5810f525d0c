import { beforeAll, expect, test } from 'vitest'
import { eventually, inHost, packagedHosts } from './pair.ts'
import { convergeText, expectTold, expectToConverge, laptopFile, type Told } from './small_play.ts'
import type { Lab } from '../../lab/lab.ts'
import type { Laptop, Run } from '../../lab/twonode_process.ts'

let lab: Lab
let from: Laptop

/** A run against a sudo that hangs takes half a minute, in which h1 is troubled. */
let hanging: Promise<Run>

beforeAll(async () => {
  ;({ lab, from } = await packagedHosts())
  hanging = deadResolver()
})

interface Trouble extends Omit<Told, 'exitCode'> {
  readonly what: string
  /** What is wrong with h1, made by these commands. */
  readonly broken: readonly (readonly string[])[]
  /** True of h1 once they have done their work. */
  readonly brokenWhen?: readonly string[] | undefined
  /** The task that runs into it. */
  readonly task: string
  readonly mended: readonly (readonly string[])[]
}

/** Holds one of dpkg's locks as another apt would: by fcntl, which the `flock` command can't. */
const hold = (file: string, seconds = 60): readonly string[] => [
  'systemd-run',
  '--unit=someone',
  'perl',
  '-MFcntl',
  '-e',
  `open F, "+>>", "${file}"; $l = pack "ssx4qqix4", F_WRLCK, 0, 0, 0, 0; fcntl F, F_SETLK, $l or die; open G, ">/run/someone"; sleep ${seconds}`,
]

const LISTEN =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => 5432, Listen => 1, ReuseAddr => 1) or die; open G, ">/run/someone"; sleep 60'

const SOMEONE_GONE = [
  ['systemctl', 'stop', 'someone.service'],
  ['rm', '-f', '/run/someone'],
]

const CLUSTER =
  'postgres_cluster: { version: 15, listen_addresses: [127.0.0.1], settings: { max_wal_senders: "12" } }'

// oxfmt-ignore
const TROUBLES: readonly Trouble[] = [
  {
    what: 'a full disk', error: 'E_FILESYSTEM', words: ['/srv/small/big', 'no space left'],
    broken: [['mkdir', '/srv/small'], ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'small', '/srv/small']],
    task: `file: { path: /srv/small/big, content: '${'0123456789'.repeat(20_000)}' }`,
    mended: [['mount', '-o', 'remount,size=1m', '/srv/small']],
  },
  {
    what: 'a full disk below the state directory', error: 'E_FILESYSTEM', words: ['/var/lib/twonode', 'no space left'],
    broken: [['mount', '-t', 'tmpfs', '-o', 'size=8k', 'small', '/var/lib/twonode'], ['dd', 'if=/dev/zero', 'of=/var/lib/twonode/fill', 'bs=4k', 'count=2']],
    task: 'file: { path: /srv/journalled, content: x }',
    mended: [['umount', '/var/lib/twonode']],
  },
  {
    what: 'a full disk under apt', error: 'E_COMMAND_FAILED', words: ['apt-get', "You don't have enough free space"],
    broken: [['mount', '-t', 'tmpfs', '-o', 'size=64k', 'small', '/var/cache/apt/archives']],
    task: 'package: { name: strace }',
    mended: [['umount', '/var/cache/apt/archives']],
  },
  {
    what: 'a read-only file system', error: 'E_FILESYSTEM', words: ['/etc/motd', 'read-only'],
    broken: [['mount', '--bind', '/etc', '/etc'], ['mount', '-o', 'remount,ro,bind', '/etc']],
    task: 'file: { path: /etc/motd, content: hello }',
    mended: [['umount', '/etc']],
  },
  {
    what: 'a missing command', error: 'E_MISSING', words: ['no-such-tool is not installed'],
    broken: [],
    task: 'command: { argv: [no-such-tool], creates: /srv/tool-was-here }',
    mended: [['ln', '-s', '/bin/true', '/usr/local/bin/no-such-tool'], ['touch', '/srv/tool-was-here']],
  },
  {
    what: 'a dpkg that someone else holds', error: 'E_COMMAND_FAILED', words: ['apt-get', /lock-frontend is held open: \/proc\/\d+\/fd/],
    broken: [['apt-get', 'purge', '-y', 'strace', 'libunwind8'], hold('/var/lib/dpkg/lock-frontend')], brokenWhen: ['test', '-e', '/run/someone'],
    task: 'package: { name: libunwind8, lock_timeout: 1s }',
    mended: SOMEONE_GONE,
  },
  {
    what: 'package lists that someone else fetches', error: 'E_COMMAND_FAILED', words: ['apt-get', '/var/lib/apt/lists/lock', /held by process \d+ \(perl\)/],
    broken: [['apt-get', 'purge', '-y', 'libunwind8'], hold('/var/lib/apt/lists/lock')], brokenWhen: ['test', '-e', '/run/someone'],
    task: 'package: { name: libunwind8, lock_timeout: 1s }',
    mended: SOMEONE_GONE,
  },
  {
    what: 'a PostgreSQL that someone broke a setting of', error: 'E_COMMAND_FAILED', words: ['no_such_library'],
    broken: [['sh', '-c', 'echo "shared_preload_libraries = no_such_library" >>/etc/postgresql/15/main/postgresql.conf']],
    task: CLUSTER,
    mended: [['sed', '-i', '/no_such_library/d', '/etc/postgresql/15/main/postgresql.conf']],
  },
  {
    what: 'a port that someone took from PostgreSQL', error: 'E_COMMAND_FAILED', words: ['Address already in use'],
    broken: [['systemctl', 'stop', 'postgresql@15-main'], ['systemd-run', '--unit=someone', 'perl', '-e', LISTEN]], brokenWhen: ['test', '-e', '/run/someone'],
    task: CLUSTER,
    mended: SOMEONE_GONE,
  },
]

test.each(TROUBLES)(
  '$what fails its task with its words, and the next run goes on',
  async ({ what, broken, brokenWhen, task, mended, error, words }) => {
    const name = what.replaceAll(/\W+/g, '-')
    const playbook = laptopFile(from, `${name}.yaml`, playOf(name, task))
    const seen = await inTrouble({ broken, brokenWhen, mended }, async () => ({
      run: await convergeText(from, [playbook, '--limit', 'h1']),
      after: await lab.exec('h1', ['test', '-e', `/srv/after-${name}`]),
      leftovers: await inHost('h1', [
        'find',
        '/etc',
        '/srv',
        '/var/lib/twonode',
        '-name',
        '.twonode-*',
      ]),
    }))
    expectTold(seen.run, { exitCode: 3, error, words: [`In trouble: ${name}`, ...words] })
    expect(seen.after.code, 'a task after the one that failed was done').not.toBe(0)
    expect(seen.leftovers).toBe('')
    await expectToConverge(from, [playbook, '--limit', 'h1'])
    await inHost('h1', ['test', '-e', `/srv/after-${name}`])
  },
)

/** Breaks h1, looks, and mends it again whatever was seen. */
async function inTrouble<T>(
  { broken, brokenWhen = ['true'], mended }: Pick<Trouble, 'broken' | 'brokenWhen' | 'mended'>,
  look: () => Promise<T>,
): Promise<T> {
  try {
    for (const argv of broken) await inHost('h1', argv)
    await eventually(
      'h1 is in trouble',
      async () => ((await lab.exec('h1', brokenWhen)).code === 0 ? true : 'not yet'),
      10_000,
    )
    return await look()
  } finally {
    for (const argv of mended) await lab.exec('h1', argv)
  }
}

function playOf(name: string, task: string): string {
  return `
- hosts: h1
  tasks:
    - name: 'In trouble: ${name}'
      ${task}
    - name: 'After: ${name}'
      file: { path: '/srv/after-${name}', content: x }
`
}

test('package lists that someone else fetches for a while are waited for', async () => {
  const playbook = laptopFile(
    from,
    'fetched.yaml',
    playOf('fetched', 'package: { name: libunwind8, lock_timeout: 1m }'),
  )
  await inHost('h1', ['apt-get', 'purge', '-y', 'libunwind8'])
  await inHost('h1', hold('/var/lib/apt/lists/lock', 3))
  await eventually('the lock is held', async () =>
    (await lab.exec('h1', ['test', '-e', '/run/someone'])).code === 0 ? true : 'not yet',
  )
  const run = await convergeText(from, [playbook, '--limit', 'h1'])
  expect(run.code, `${run.stdout}${run.stderr}`).toBe(0)
  await inHost('h1', ['rm', '/run/someone'])
})

test('a disk too full for twonode itself is named, and nothing of it stays there', async () => {
  const playbook = laptopFile(
    from,
    'room.yaml',
    playOf('room', 'file: { path: /srv/room, content: x }'),
  )
  const seen = await inTrouble(
    {
      broken: [['mount', '-t', 'tmpfs', '-o', 'size=1m', 'small', '/opt/twonode']],
      mended: [['umount', '/opt/twonode']],
    },
    async () => ({
      run: await convergeText(from, [playbook, '--limit', 'h1']),
      files: await inHost('h1', ['find', '/opt/twonode', '-not', '-type', 'd']),
    }),
  )
  const words = [/h1: \/opt\/twonode\/\S+: .*No space left on device/]
  expectTold(seen.run, { exitCode: 3, error: 'E_FILESYSTEM', words })
  expect(seen.files).toBe('')
  await expectToConverge(from, [playbook, '--limit', 'h1'])
})

/** sudo looks for the host's own name; its name server takes the question and never answers. */
async function deadResolver(): Promise<Run> {
  await inHost('h2', [
    'sh',
    '-c',
    'cp -a /etc/hosts /etc/hosts.whole && sed -i /h2/d /etc/hosts && printf "nameserver 127.0.0.1\\noptions timeout:30\\n" >/etc/resolv.conf && nft add table ip dead && nft "add chain ip dead input { type filter hook input priority 0; }" && nft add rule ip dead input udp dport 53 drop',
  ])
  return await convergeText(from, [ON_H2(), '--limit', 'h2'])
}

const ON_H2 = (): string =>
  laptopFile(
    from,
    'h2.yaml',
    '- hosts: h2\n  tasks:\n    - name: On h2\n      file: { path: /srv/h2, content: x }\n',
  )

test('a sudo that waits for a dead resolver is given up, and the likely cause named', async () => {
  const run = await hanging
  await inHost('h2', ['mv', '/etc/hosts.whole', '/etc/hosts'])
  await inHost('h2', ['nft', 'delete', 'table', 'ip', 'dead'])
  await inHost('h2', ['rm', '/etc/resolv.conf'])
  expectTold(run, { exitCode: 3, error: 'E_SUDO', words: ['h2: sudo', '/etc/hosts'] })
  expect((await lab.exec('h2', ['test', '-e', '/srv/h2'])).code).not.toBe(0)
  await expectToConverge(from, [ON_H2(), '--limit', 'h2'])
})
