import { beforeAll, expect, test } from 'vitest'
import { eventually, inHost, packagedHosts } from './pair.ts'
import {
  changesOf,
  convergeText,
  expectToConverge,
  expectTold,
  mustRun,
  ON_H1,
  playOf,
} from './small_play.ts'
import type { Laptop, Run } from '../../lab/twonode_process.ts'

let from: Laptop

beforeAll(async () => {
  ;({ from } = await packagedHosts())
})

const PATH = '/etc/systemd/system/states.service'

const FILE = String.raw`content: "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n"`

const NICE = String.raw`drop_ins: { nice.conf: "[Service]\nNice=5\n" }`

const unit = (args: string): string =>
  playOf(from, 'unit', { 'The unit': `systemd_unit: { name: states.service, ${args} }` })

/** `run systemctl start states.service`: start. */
const doneTo = (run: Run): string[] =>
  (changesOf(run)['The unit'] ?? []).map((summary) =>
    summary.replace('run systemctl ', '').replace(' states.service', ''),
  )

const stateOf = async (name: string, properties: string): Promise<string> => {
  const argv = ['systemctl', 'show', '--value', `--property=${properties}`, name]
  return (await inHost('h1', argv)).split('\n').join(' ')
}

// In this order: each starts from what the one before has left.
// oxfmt-ignore
test.each([
  { what: 'made and started', args: `${FILE}, state: started`, first: [`create ${PATH} (0644 root:root)`, 'daemon-reload', 'start'], second: [], is: 'loaded active disabled' },
  { what: 'enabled', args: 'enabled: true', first: ['enable'], second: [], is: 'loaded active enabled' },
  { what: 'restarted', args: 'state: restarted', first: ['restart'], second: ['restart'], is: 'loaded active enabled' },
  { what: 'reloaded', args: 'state: reloaded', first: ['reload'], second: ['reload'], is: 'loaded active enabled' },
  { what: 'stopped', args: 'state: stopped', first: ['stop'], second: [], is: 'loaded inactive enabled' },
  { what: 'reloaded if it runs', args: 'state: reloaded, if_running: true', first: [], second: [], is: 'loaded inactive enabled' },
  { what: 'disabled', args: 'enabled: false', first: ['disable'], second: [], is: 'loaded inactive disabled' },
  { what: 'given a drop-in', args: NICE, first: [`make directory ${PATH}.d (0755 root:root)`, `create ${PATH}.d/nice.conf (0644 root:root)`, 'daemon-reload'], second: [], is: 'loaded inactive disabled' },
])('a unit is $what, and is then $is', async ({ args, first, second, is }) => {
  const playbook = unit(args)
  expect(doneTo(await mustRun(from, [playbook, ...ON_H1]))).toEqual(first)
  expect(doneTo(await mustRun(from, [playbook, ...ON_H1]))).toEqual(second)
  expect(await stateOf('states.service', 'LoadState,ActiveState,UnitFileState')).toBe(is)
})

const masked = (yes: boolean): string =>
  playOf(from, 'mask', { Masked: `systemd_unit: { name: apt-daily.timer, masked: ${yes} }` })

test("someone else's unit is masked, stays so, and is free again", async () => {
  await expectToConverge(from, [masked(true), ...ON_H1])
  expect(await stateOf('apt-daily.timer', 'LoadState')).toBe('masked')
  await expectToConverge(from, [masked(false), ...ON_H1])
  expect(await stateOf('apt-daily.timer', 'LoadState')).toBe('loaded')
})

/** A unit that runs this once, and stays. */
function once(command: string): string {
  const content = String.raw`[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${command}\n`
  return playOf(from, 'once', {
    Once: `systemd_unit: { name: once.service, content: "${content}", state: started }`,
  })
}

test('a unit that fails to start shows the end of its journal, and starts once it is mended', async () => {
  const run = await convergeText(from, [once('/bin/cat /srv/not-there'), ...ON_H1])
  expectTold(run, {
    exitCode: 3,
    error: 'E_COMMAND_FAILED',
    words: [
      'Once',
      'systemctl start once.service exited 1',
      '/srv/not-there: No such file or directory',
    ],
  })
  const mended = await expectToConverge(from, [once('/bin/true'), ...ON_H1])
  expect(changesOf(mended)['Once']).toContain('run systemctl reset-failed once.service')
})

test('a file that systemd refuses does not take the place of the one that works', async () => {
  const before = await inHost('h1', ['cat', PATH])
  const bad = unit(String.raw`content: "[Service]\nExecStart=sleep infinity\nType=never\n"`)
  const run = await convergeText(from, [bad, ...ON_H1])
  expectTold(run, {
    exitCode: 3,
    error: 'E_INVALID_CONTENT',
    words: ['The unit', 'systemd-analyze refuses', 'states.service'],
  })
  expect(await inHost('h1', ['cat', PATH])).toBe(before)
})

test('a unit that is still starting reloads when it runs: it may have read the old files already', async () => {
  // Nobody reads from it until somebody writes to it: the unit starts for as long as the test wants.
  await inHost('h1', ['mkfifo', '/run/slow-goes'])
  const slow = String.raw`[Service]\nExecStartPre=/bin/cat /run/slow-goes\nExecStart=/bin/sleep infinity\nExecReload=/usr/bin/touch /run/reloaded\n`
  const made = playOf(from, 'slow', {
    Slow: `systemd_unit: { name: slow.service, content: "${slow}", state: started, wait: false }`,
    Reloaded: 'systemd_unit: { name: slow.service, state: reloaded, if_running: true }',
  })
  const running = mustRun(from, [made, ...ON_H1])
  await eventually('its start is waited for', async () => {
    await inHost('h1', ['pgrep', '-f', '[s]ystemctl start slow'])
    return true
  })
  await inHost('h1', ['cp', '/dev/null', '/run/slow-goes'])
  const run = await running
  expect(changesOf(run)['Reloaded']).toEqual([
    'run systemctl start slow.service',
    'run systemctl reload slow.service',
  ])
  await inHost('h1', ['test', '-e', '/run/reloaded'])
})
