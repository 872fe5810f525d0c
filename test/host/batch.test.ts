import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import { together } from '../../src/host/batch.ts'
import { parsePackages } from '../../src/host/dpkg.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { askableName, askedAgain, parseUnits, unitQuery } from '../../src/host/systemd.ts'

const host = createLocalHost({ name: 'h1', digestsPath: null })

/**
 * Captured on a lab host (Debian 12, systemd 252.39) by `systemctl show` of {@link NAMES}, with
 * apt-daily.service masked and the file of postgresql@.service touched. The order of properties is
 * systemd's own, not that of the question, and a target has no MainPID.
 */
const SHOWN = `MainPID=48
Id=ssh.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
ActiveEnterTimestampMonotonic=6235834921
NeedDaemonReload=no

MainPID=0
Id=nothing.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=no

MainPID=55
Id=postgresql@15-main.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled-runtime
ActiveEnterTimestampMonotonic=6238274031
NeedDaemonReload=yes

MainPID=0
Id=apt-daily.service
LoadState=masked
ActiveState=inactive
SubState=dead
UnitFileState=masked
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=no

Id=basic.target
LoadState=loaded
ActiveState=active
SubState=active
UnitFileState=static
ActiveEnterTimestampMonotonic=6235745905
NeedDaemonReload=no
`

const NAMES = [
  'ssh',
  'nothing.service',
  'postgresql@15-main.service',
  'apt-daily.service',
  'basic.target',
]

test('systemctl answers for all units in one go, in the order that was asked', () => {
  const states = parseUnits(NAMES, SHOWN)
  expect(states.get('ssh')).toEqual({
    load: 'loaded',
    active: 'active',
    sub: 'running',
    enabled: true,
    isStatic: false,
    needsReload: false,
    mainPid: 48,
    hasJob: false,
    activeSinceUs: 6_235_834_921,
  })
  expect(states.get('nothing.service')).toMatchObject({ load: 'not-found', enabled: false })
  expect(states.get('apt-daily.service')).toMatchObject({ load: 'masked', enabled: false })
  expect(states.get('basic.target')).toMatchObject({ isStatic: true, mainPid: 0 })
})

/** Captured there too, of a unit that was told to start after one that was still starting. */
const WAITS = `MainPID=0
Id=b.service
ActiveState=inactive
Job=129

MainPID=33
Id=ssh.service
ActiveState=active
Job=
`

test('a unit that was told to start, and has not begun, has a job', () => {
  const states = parseUnits(['b.service', 'ssh.service'], WAITS)
  expect(states.get('b.service')).toMatchObject({ active: 'inactive', hasJob: true })
  expect(states.get('ssh.service')).toMatchObject({ active: 'active', hasJob: false })
})

test('an instance that a generator enables on each boot is enabled; a unit enabled until then is not', () => {
  const states = parseUnits(NAMES, SHOWN)
  expect(states.get('postgresql@15-main.service')).toMatchObject({
    enabled: true,
    needsReload: true,
  })
  const until = SHOWN.split('\n\n')[0]?.replace(
    'UnitFileState=enabled',
    'UnitFileState=enabled-runtime',
  )
  expect(parseUnits(['ssh'], until ?? '').get('ssh')).toMatchObject({ enabled: false })
})

test('an answer for another number of units is not guessed at', () => {
  expect(() => parseUnits(['a.service', ...NAMES], SHOWN)).toThrow(TwonodeError)
})

test('templates are judged by an instance, and patterns are refused', () => {
  expect(askableName('postgresql@.service')).toBe('postgresql@twonode.service')
  expect(askableName('postgresql@15-main.service')).toBe('postgresql@15-main.service')
  for (const name of ['*.service', 'a b', '', '[x].service'])
    expect(() => askableName(name)).toThrow('no name of a unit')
  expect(unitQuery(['a', 'b']).slice(-3)).toEqual(['--', 'a', 'b'])
})

test('a machine without systemd has no units yet; one with it answers', async () => {
  const answer = await host.batch.unit('ssh.service').then(
    (state) => typeof state.load,
    (error: unknown) => (error instanceof NotYet ? 'not yet' : error),
  )
  expect(answer).toBe(existsSync('/run/systemd/system') ? 'string' : 'not yet')
})

test('one bad name fails its own step and no other', async () => {
  const bad = host.batch.unit('*')
  await expect(bad).rejects.toThrow('no name of a unit')
})

/**
 * Captured on a lab host by `dpkg-query -W`: netbase on hold, ssl-cert removed without its
 * configuration, locales with a postinst that fails, debconf-2.0 a virtual package. libc6:i386 stands
 * in by hand: the lab has one architecture.
 */
const LISTED = [
  'un \tdebconf-2.0\t\t',
  'ii \tlibc6\tamd64\t2.36-9+deb12u14',
  'ii \tlibc6\ti386\t2.36-9+deb12u14',
  'iF \tlocales\tall\t2.36-9+deb12u14',
  'hi \tnetbase\tall\t6.4',
  'rc \tssl-cert\tall\t1.1.2',
  '',
].join('\n')

test('packages are installed only when they are wholly so', () => {
  const versions = {
    'debconf-2.0': undefined,
    libc6: '2.36-9+deb12u14',
    'libc6:i386': '2.36-9+deb12u14',
    locales: undefined,
    netbase: '6.4',
    'ssl-cert': undefined,
    'unheard-of': undefined,
  }
  const names = Object.keys(versions)
  expect(Object.fromEntries(parsePackages(names, LISTED))).toEqual(versions)
})

test('the package manager itself is asked', async () => {
  const [dpkg, none] = await Promise.all([
    host.batch.packageVersion('dpkg'),
    host.batch.packageVersion('no-such-package-anywhere'),
  ])
  expect(dpkg).toMatch(/^\d/)
  expect(none).toBeUndefined()
})

test('questions of one turn, and those that come while one is answered, share an answer', async () => {
  const asked: string[][] = []
  let answer: (() => void) | undefined
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const ask = together(async (keys) => {
    asked.push([...keys])
    await answered
    return new Map(keys.map((key) => [key, key.toUpperCase()]))
  })
  const first = Promise.all(['a', 'b', 'a'].map(async (key) => await ask(key)))
  await expect.poll(() => asked.length).toBe(1)
  const late = Promise.all(['c', 'a'].map(async (key) => await ask(key)))
  answer?.()
  expect(await first).toEqual(['A', 'B', 'A'])
  expect(await late).toEqual(['C', 'A'])
  expect(asked).toEqual([
    ['a', 'b'],
    ['c', 'a'],
  ])
})

test('a failed question fails its askers, and the next is asked anew', async () => {
  let broken = true
  const ask = together(async (keys) => {
    if (broken) throw new Error('not now')
    return new Map(keys.map((key) => [key, 1]))
  })
  const both = await Promise.allSettled([ask('a'), ask('b')])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  broken = false
  expect(await ask('a')).toBe(1)
})

test('a port is reachable, refused or silent, in bounded time', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  expect(await host.reachable('127.0.0.1', port, 2_000)).toBe(true)
  await new Promise((resolve) => server.close(resolve))
  expect(await host.reachable('127.0.0.1', port, 2_000)).toBe(false)
  expect(await host.reachable('no-such-host.invalid', 1, 2_000)).toBe(false)
})

const SHOWS = { code: 0, stdout: SHOWN, stderr: '' }
const RESET = {
  code: 1,
  stdout: '',
  stderr: 'Failed to get properties: Connection reset by peer\n',
}

/** Gives these answers in turn, and counts the questions. */
function answering(...answers: readonly (typeof SHOWS)[]) {
  let asked = 0
  return { ask: async () => answers[asked++] ?? SHOWS, asked: () => asked }
}

test('a question that a reload of systemd cut short is asked once more', async () => {
  const systemd = answering(RESET)
  expect(await askedAgain(systemd.ask, 1)).toEqual(SHOWS)
  expect(systemd.asked()).toBe(2)
})

test('it is asked no more than twice, and another trouble is told at once', async () => {
  const reset = answering(RESET, RESET)
  expect(await askedAgain(reset.ask, 1)).toEqual(RESET)
  const refused = { code: 1, stdout: '', stderr: 'Failed to connect to bus: No such file\n' }
  const systemd = answering(refused)
  expect(await askedAgain(systemd.ask, 1)).toEqual(refused)
  expect([reset.asked(), systemd.asked()]).toEqual([2, 1])
})
