import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { resolveSettings } from '../../src/remote/ssh_config.ts'
import { parseJumps, type Laptop, type SshTarget } from '../../src/remote/ssh_options.ts'

let home: string

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'twonode-ssh-config-'))
  mkdirSync(join(home, '.ssh'))
})

afterAll(() => rmSync(home, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

const configure = (...lines: string[]) =>
  writeFileSync(join(home, '.ssh', 'config'), `${lines.join('\n')}\n`)

const laptop = (over: Partial<Laptop> = {}): Laptop => ({
  user: 'ana',
  home,
  accountHome: userInfo().homedir,
  env: { SSH_AUTH_SOCK: '/run/agent' },
  acceptNewHostKeys: false,
  ...over,
})

const target = (ssh: Partial<SshTarget['ssh']> = {}): SshTarget => ({
  name: 'h1',
  address: '10.77.0.11',
  ssh: { hostKeys: [], connectTimeoutMs: 10_000, ...ssh },
})

const FULL = [
  'Host 10.77.0.*',
  '  HostName 192.0.2.1',
  '  User eva',
  '  Port 2222',
  '  IdentityFile ~/keys/%h',
  '  IdentitiesOnly yes',
  '  HostKeyAlias the-pair',
  '  UserKnownHostsFile ~/.ssh/known_pair /dev/null',
  '  ProxyJump bob@gate:2022',
  'Host gate',
  '  HostName 192.0.2.9',
]

/** Both ways of reading: by ssh itself, and by the library where there is no ssh. */
describe.each([
  ['ssh -G', () => undefined],
  ['the library', () => vi.stubEnv('PATH', join(home, 'no-ssh-here'))],
])('by %s', (_way, choose) => {
  test('the user’s configuration fills in what the inventory leaves out', async () => {
    choose()
    configure(...FULL)
    const { settings } = await resolveSettings(target(), laptop())
    expect(settings).toMatchObject({
      name: 'h1',
      address: '192.0.2.1',
      user: 'eva',
      port: 2222,
      identityFiles: [{ path: join(home, 'keys', '192.0.2.1'), explicit: false }],
      identitiesOnly: true,
      identityAgent: '/run/agent',
      hostKeyAlias: 'the-pair',
    })
    expect(settings.knownHostsFiles.slice(0, 2)).toEqual([
      join(home, '.ssh', 'known_pair'),
      '/dev/null',
    ])
    expect(settings.proxyJump).toMatchObject([
      { address: '192.0.2.9', user: 'bob', port: 2022, proxyJump: [] },
    ])
  })

  test('the inventory wins over the configuration', async () => {
    choose()
    configure(...FULL)
    const identityFile = '/inventory/key'
    const ssh = { user: 'root', port: 22, identityFile, proxyJump: 'none', identityAgent: 'none' }
    const { settings } = await resolveSettings(target(ssh), laptop())
    expect(settings).toMatchObject({
      user: 'root',
      port: 22,
      identityFiles: [{ path: identityFile, explicit: true }],
      identityAgent: null,
      proxyJump: [],
    })
  })

  test('an empty home gives the defaults, below that home', async () => {
    choose()
    configure('')
    const { settings, notes } = await resolveSettings(target({ user: 'root' }), laptop())
    expect(settings).toMatchObject({ address: '10.77.0.11', port: 22, hostKeyAlias: null })
    expect(settings.knownHostsFiles[0]).toBe(join(home, '.ssh', 'known_hosts'))
    expect(settings.identityFiles.map(({ path }) => path)).toContain(
      join(home, '.ssh', 'id_ed25519'),
    )
    expect(settings.identityFiles.every(({ explicit }) => !explicit)).toBe(true)
    expect(notes.filter((note) => note.includes(home))).toEqual([])
  })

  test('what is not followed is said', async () => {
    choose()
    configure('Host *', '  StrictHostKeyChecking no')
    const { notes, settings } = await resolveSettings(target(), laptop())
    expect(notes.join()).toMatch(/StrictHostKeyChecking (no|false) is not followed/)
    expect(settings.acceptNewHostKeys).toBe(false)
  })

  test('a ProxyCommand is refused rather than gone around', async () => {
    choose()
    configure('Host *', '  ProxyCommand nc %h %p')
    await expect(resolveSettings(target(), laptop())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('ProxyCommand') as string,
    })
  })
})

test('a broken configuration is an error with ssh’s own words', async () => {
  configure('Hoost *')
  await expect(resolveSettings(target(), laptop())).rejects.toMatchObject({
    code: 'E_UNREACHABLE',
    detail: expect.stringContaining('hoost') as string,
  })
})

test('without ssh, Include and Match exec are named and nothing is run', async () => {
  vi.stubEnv('PATH', join(home, 'no-ssh-here'))
  const trace = join(home, 'was-run')
  configure(
    'Include other',
    `Match exec "touch ${trace}"`,
    '  User mallory',
    'Host *',
    '  User eva',
  )
  const { settings, notes } = await resolveSettings(target(), laptop())
  expect(notes.join()).toContain('Include and Match exec')
  expect(settings.user).toBe('eva')
})

test('an address that looks like an option is only an address', async () => {
  configure('')
  const hostile = { ...target(), address: '-oProxyCommand=true' }
  await expect(resolveSettings(hostile, laptop())).rejects.toMatchObject({ code: 'E_UNREACHABLE' })
})

test.each([
  ['gate', [{ host: 'gate' }]],
  [
    'bob@gate:2022,[fe80::1]:22',
    [
      { host: 'gate', user: 'bob', port: 2022 },
      { host: 'fe80::1', port: 22 },
    ],
  ],
  ['ssh://bob@gate', [{ host: 'gate', user: 'bob' }]],
  ['none', []],
])('the jump hosts of %s', (text, expected) => {
  expect(parseJumps(text, 'h1')).toEqual(expected)
})

test.each(['-oProxyCommand=x', 'a b', '@gate', 'gate:port'])('%s is no jump host', (text) => {
  expect(() => parseJumps(text, 'h1')).toThrow('not a jump host')
})
