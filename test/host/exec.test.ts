import { closeSync, openSync, readlinkSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { array, assert, asyncProperty, constantFrom, oneof, string } from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { processesHolding, signalAll } from '../../src/engine/lock_holders.ts'
import { OUTPUT_BYTES } from '../../src/host/command.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { refusal } from './refusal.ts'

const host = createLocalHost({ name: 'h1', digestsPath: null })
let directory: string

beforeAll(async () => {
  directory = await mkdtemp('/tmp/twonode-exec-')
})

afterAll(async () => {
  await host.close()
  await rm(directory, { recursive: true, force: true })
})

/** True while a process of that id exists and is no zombie. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not in 10 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('an exit code other than 0 is data, with both outputs', async () => {
  const result = await host.exec(['sh', '-c', 'echo out; echo err >&2; exit 7'])
  expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' })
})

test('words reach the command as they are, whatever is in them (fuzzed)', async () => {
  const word = oneof(
    string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
    constantFrom(
      '$(id)',
      '`id`',
      "'",
      '"',
      '\\',
      '*',
      '~',
      '!x',
      '\n',
      '',
      '-n',
      'a b',
      '$HOME',
      '=x',
      '#',
    ),
  )
  await assert(
    asyncProperty(array(word, { maxLength: 6 }), async (words) => {
      const { stdout } = await host.exec(['/usr/bin/printf', '%s\\0', 'x', ...words])
      expect(stdout.split('\0').slice(0, -1)).toEqual(['x', ...words])
    }),
    { numRuns: 100 },
  )
}, 60_000)

test('a command longer than a shell takes still runs', async () => {
  const long = Array.from({ length: 300 }, (_, index) => `${index}`.padStart(1_000, '0'))
  const { stdout } = await host.exec(['printf', '%s\n', ...long])
  expect(stdout.trimEnd().split('\n')).toEqual(long)
})

test('a word longer than the kernel takes is an error of the command, and its message is short', async () => {
  const error = await refusal(host.exec(['printf', 'x'.repeat(200_000)]))
  expect(error.code).toBe('E_COMMAND_FAILED')
  expect(error.message).toContain('E2BIG')
  expect(error.message.length).toBeLessThan(300)
})

test('standard input arrives whole, secret or not, and is empty when there is none', async () => {
  const text = 'ü'.repeat(300_000)
  expect((await host.exec(['cat'], { stdin: new Secret(text, 'test') })).stdout).toBe(text)
  expect(await host.exec(['cat'])).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await host.exec(['cat'], { stdin: '' })).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('a command that does not read its input is no error', async () => {
  const result = await host.exec(['true'], { stdin: 'x'.repeat(1_000_000) })
  expect(result.code).toBe(0)
})

test('a missing command is not there yet, by name and by path', async () => {
  await expect(host.exec(['no-such-command'])).rejects.toThrow(
    new NotYet('no-such-command is not installed'),
  )
  await expect(host.exec(['/no/such/command'])).rejects.toBeInstanceOf(NotYet)
  await expect(host.exec(['ls'], { user: 'nobody-of-that-name' })).rejects.toBeInstanceOf(NotYet)
})

test('an argument with a NUL byte is refused, for it would be cut there', async () => {
  await expect(host.exec(['echo', 'a\0b'])).rejects.toThrow('NUL')
})

test('commands see a small environment, in English, and nothing of ours', async () => {
  const { stdout } = await host.exec(['env'], { env: { EXTRA: '1' } })
  const names = stdout.split('\n').map((line) => line.split('=')[0])
  expect(stdout).toContain('LC_ALL=C.UTF-8')
  expect(stdout).toContain('EXTRA=1')
  expect(names.filter((name) => /NODE|VITEST|TERM/.test(name ?? ''))).toEqual([])
})

test('another user means its ids, its groups and its home', async () => {
  const { stdout } = await host.exec(['sh', '-c', 'id -un; id -Gn; echo $HOME; pwd'], {
    user: 'postgres',
  })
  const [name, groups, home, working] = stdout.split('\n')
  expect([name, home, working]).toEqual(['postgres', '/var/lib/postgresql', '/'])
  const { stdout: expected } = await host.exec(['id', '-Gn', 'postgres'])
  expect(groups?.split(' ').sort()).toEqual(expected.trim().split(' ').sort())
})

test('a command that takes too long is ended with all that it started', async () => {
  const pids = join(directory, 'pids')
  const script = `sleep 300 & echo $! > ${pids}; trap '' TERM; echo said >&2; wait; sleep 300`
  const error = await host
    .exec(['bash', '-c', script], { timeoutMs: 1_500 })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(TwonodeError)
  expect(error).toMatchObject({ code: 'E_COMMAND_TIMEOUT', detail: 'said\n' })
  const child = Number(await readFile(pids, 'utf8'))
  await until('the grandchild has ended', async () => !(await isAlive(child)))
})

test('a daemon that keeps the output open does not hold the command up', async () => {
  const pids = join(directory, 'daemon')
  const begun = Date.now()
  const script = `setsid sleep 300 & echo $! > ${pids}; echo started`
  const result = await host.exec(['bash', '-c', script], { timeoutMs: 20_000 })
  expect(result).toEqual({ code: 0, stdout: 'started\n', stderr: '' })
  expect(Date.now() - begun).toBeLessThan(10_000)
  process.kill(Number(await readFile(pids, 'utf8')), 'SIGKILL')
})

test('output is kept up to its bound, and the rest is counted', async () => {
  const { stdout } = await host.exec(['head', '-c', String(OUTPUT_BYTES + 1_000), '/dev/zero'])
  expect(stdout.length).toBeLessThan(OUTPUT_BYTES + 100)
  expect(stdout.endsWith('[1000 more bytes were not kept]\n')).toBe(true)
})

test('a command that dies of a signal has the code that a shell gives it', async () => {
  expect((await host.exec(['bash', '-c', 'kill -KILL $$'])).code).toBe(137)
})

test('every command inherits the lock, so that an orphan keeps it', async () => {
  const path = join(directory, 'lock')
  await writeFile(path, '')
  const fd = openSync(path, 'r+')
  const locked = createLocalHost({ name: 'h1', lockFd: () => fd, digestsPath: null })
  try {
    const plain = await locked.exec(['readlink', '/proc/self/fd/3'])
    expect(plain.stdout.trim()).toBe(path)
    const other = await locked.exec(['readlink', '/proc/self/fd/3'], { user: 'postgres' })
    expect(other.stdout.trim()).toBe(path)
  } finally {
    closeSync(fd)
    await locked.close()
  }
})

test('a command in the background is begun, not waited for, and holds neither the lock nor our streams', async () => {
  const [path, followed] = [join(directory, 'free-lock'), join(directory, 'followed')]
  await Promise.all([writeFile(path, ''), writeFile(followed, '')])
  const fd = openSync(path, 'r+')
  const locked = createLocalHost({ name: 'h1', lockFd: () => fd, digestsPath: null })
  const begin = await locked.exec(['tail', '--follow', `--pid=${process.pid}`, followed], {
    background: true,
  })
  try {
    expect(begin).toEqual({ code: 0, stdout: '', stderr: '' })
    await expect.poll(() => processesHolding(followed), { timeout: 10_000 }).toHaveLength(1)
    expect(processesHolding(path)).toEqual([])
    const [tail] = processesHolding(followed)
    const streams = [0, 1, 2].map((stream) => readlinkSync(`/proc/${tail?.pid}/fd/${stream}`))
    expect(streams).toEqual(['/dev/null', '/dev/null', '/dev/null'])
  } finally {
    signalAll(processesHolding(followed), 'SIGKILL', { groups: true })
    closeSync(fd)
    await locked.close()
  }
})

test('a command in the background that can not begin is a failure', async () => {
  await expect(host.exec(['/nowhere/arping'], { background: true })).rejects.toThrow('arping')
})

test('the protocol of the runner, its own standard streams, never reaches a command', async () => {
  const { stdout } = await host.exec(['readlink', '/proc/self/fd/0'])
  expect(stdout.trim()).toBe('/dev/null')
})
