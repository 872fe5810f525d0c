import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { openPower } from '../../src/witness/power.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync('/tmp/twonode-power-')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A program that does this; what it was told is in the file `told`. */
function program(does: string): string {
  const path = join(folder, 'program')
  writeFileSync(path, `#!/bin/sh\ncat > ${folder}/told\necho "$*" > ${folder}/arguments\n${does}\n`)
  chmodSync(path, 0o700)
  return path
}

const SAYS = '^(chassis power is )?off$'

function powerOf(does: string, says = SAYS) {
  const path = program(does)
  return openPower(
    { commands: {}, says, input: { $secret: 'bmc' }, timeoutMs: 5_000, followerDelayMs: 0 },
    {
      commands: { off: [path, 'off', 'h2'], status: [path, 'status', 'h2'] },
      secrets: new Map([['bmc', new Secret('hunter22', 'bmc')]]),
    },
  )
}

const within = (boundMs = 20_000) => ({ boundMs, stop: new AbortController().signal })

test('a password comes on the standard input, and in no argument', async () => {
  await powerOf('echo ok').run('off', within())
  expect(readFileSync(join(folder, 'told'), 'utf8')).toBe('hunter22')
  expect(readFileSync(join(folder, 'arguments'), 'utf8')).toBe('off h2\n')
})

const REDFISH = '"PowerState":\\s*"Off"'

test.each([
  ["echo 'Chassis Power is off'", SAYS, true],
  ['echo off', SAYS, true],
  ["echo 'Chassis Power is on'", SAYS, false],
  ["echo 'power policy: always off'", SAYS, false],
  [`echo '{"PowerState":"Off","Status":{}}'`, REDFISH, true],
  [`echo '{"PowerState": "PoweringOff"}'`, REDFISH, false],
  ['true', SAYS, false],
])('%s is off by %s: %s', async (does, says, off) => {
  expect(await powerOf(does, says).run('status', within())).toMatchObject({ kind: 'ended', off })
})

test.each([
  ['echo off; exit 1', 'it ended with 1'],
  ['kill -9 $$', 'it ended with SIGKILL'],
  ['yes off', 'it says more than'],
])('%s is no answer: %s', async (does, why) => {
  const answer = await powerOf(does).run('status', within())
  expect(answer).toMatchObject({ kind: 'silent', why: expect.stringContaining(why) as string })
})

test('one that hangs is killed at its bound, with what it has started, and is no answer', async () => {
  const answer = await powerOf(`sleep 60 & echo $! > ${folder}/child; wait`).run(
    'status',
    within(1_500),
  )
  expect(answer).toMatchObject({
    kind: 'silent',
    why: expect.stringContaining('did not end') as string,
  })
  const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
  await expect.poll(() => isAlive(child), { timeout: 10_000 }).toBe(false)
})

test('one that is not wanted any more is ended', async () => {
  const stop = new AbortController()
  const answer = powerOf('sleep 60').run('status', { boundMs: 30_000, stop: stop.signal })
  stop.abort()
  expect(await answer).toMatchObject({ kind: 'silent' })
})

test('a password that is not among the secrets of the host is told when the agent starts', () => {
  const settings = { commands: {}, says: SAYS, timeoutMs: 1, followerDelayMs: 0 }
  const commands = { off: ['/bin/true'], status: ['/bin/true'] }
  expect(() =>
    openPower({ ...settings, input: { $secret: 'bmc' } }, { commands, secrets: new Map() }),
  ).toThrow('the input of fencing is not among')
})

function isAlive(pid: number): boolean {
  try {
    // One that nobody waits for is dead, whatever its entry says.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
