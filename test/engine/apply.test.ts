import type { SalvageRequest } from '../../src/core/salvage.ts'
import { describe, expect, test } from 'vitest'
import type { Change, Write } from '../../src/core/change.ts'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import type { Host } from '../../src/core/host.ts'
import { Secret } from '../../src/core/secret.ts'
import { apply } from '../../src/engine/apply.ts'
import { testClock } from '../support/engine_run.ts'
import {
  createSimulatedHost,
  diskWith,
  type SimulatedHostOptions,
} from '../support/simulated_host.ts'

const hostWith = (more: Partial<SimulatedHostOptions> = {}) =>
  createSimulatedHost({ name: 'h1', disk: diskWith('/etc'), ...more })

async function doIt(host: Host, change: Change, stop = new AbortController().signal) {
  const clock = testClock()
  return await apply(host, change, { clock, deadline: 10_000, stop })
}

const write = (more: Partial<Write>): Write => ({
  kind: 'write',
  path: '/etc/x.service',
  content: 'new',
  mode: 0o644,
  owner: 'root',
  group: 'root',
  before: undefined,
  ...more,
})
const ok = { code: 0, stdout: '', stderr: '' }
const pathsOf = (host: { disk: ReadonlyMap<string, unknown> }) =>
  [...host.disk.keys()].filter((path) => path !== '/etc')

test('a file that was changed since it was read is left alone', async () => {
  const host = hostWith()
  host.disk.set('/etc/x.service', {
    kind: 'file',
    content: 'theirs',
    mode: 0o644,
    owner: 'root',
    group: 'root',
  })
  await expect(doIt(host, write({ before: 'ours' }))).rejects.toMatchObject({
    code: 'E_CHANGED_MEANWHILE',
  })
  expect(host.disk.get('/etc/x.service')?.content).toBe('theirs')
})

test('a file that is no UTF-8 is left alone, too, if it was changed since it was read', async () => {
  const host = hostWith()
  host.disk.set('/etc/x.service', {
    kind: 'file',
    content: 'theirs \uFFFD',
    mode: 0o644,
    owner: 'root',
    group: 'root',
  })
  const writing = doIt(host, write({ before: 'ours \uFFFD' }))
  await expect(writing).rejects.toMatchObject({ code: 'E_CHANGED_MEANWHILE' })
})

test.each([
  ['yaml', 'a: [1', 'is no yaml'],
  ['json', '{"a":', 'is no json'],
] as const)('content that is no %s never reaches the disk', async (kind, content, message) => {
  const host = hostWith()
  await expect(doIt(host, write({ content, validate: { kind } }))).rejects.toThrow(message)
  expect(host.written).toEqual([])
})

test('the words of a parser, which quote the content, are not told of a secret', async () => {
  const content = new Secret('token: [hunter2', 'env:T')
  const failing = doIt(hostWith(), write({ content, validate: { kind: 'yaml' } }))
  await expect(failing).rejects.toMatchObject({ code: 'E_INVALID_CONTENT', detail: undefined })
})

test('a validator sees the new content beside the old, and what it refuses is gone', async () => {
  const seen: string[] = []
  const host = hostWith({
    exec: (argv, _, disk) => {
      seen.push(argv.join(' '), disk.get(argv[1] ?? '')?.content ?? '')
      return { code: 1, stdout: '', stderr: 'line 1: no' }
    },
  })
  const failing = doIt(host, write({ validate: { kind: 'exec', argv: ['check', '{}'] } }))
  await expect(failing).rejects.toMatchObject({
    message: 'h1: check refuses /etc/x.service',
    detail: 'line 1: no',
  })
  expect(seen).toEqual(['check /etc/.twonode-staged.x.service', 'new'])
  expect(pathsOf(host)).toEqual([])
})

test('a unit is judged under its own name, and put in place when it passes', async () => {
  const seen: (readonly string[])[] = []
  const host = hostWith({ exec: (argv) => (seen.push(argv), ok) })
  await doIt(host, write({ validate: { kind: 'unit' } }))
  expect(seen[0]?.at(-1)).toBe('/etc/.twonode-staged.x.service:x.service')
  expect(pathsOf(host)).toEqual(['/etc/x.service'])
})

test('a file that PostgreSQL complains of gives way to what was there', async () => {
  const validate = {
    kind: 'sql',
    database: 'postgres',
    text: 'select error from pg_hba_file_rules',
  } as const
  const strict = hostWith({ sql: () => [{ error: 'line 3' }] })
  await expect(doIt(strict, write({ validate }))).rejects.toMatchObject({
    detail: '{"error":"line 3"}',
  })
  expect(pathsOf(strict)).toEqual([])

  strict.disk.set('/etc/x.service', {
    kind: 'file',
    content: 'old',
    mode: 0o644,
    owner: 'root',
    group: 'root',
  })
  await expect(doIt(strict, write({ validate, before: 'old' }))).rejects.toThrow(
    'PostgreSQL refuses /etc/x.service',
  )
  expect(strict.disk.get('/etc/x.service')?.content).toBe('old')

  const unborn = hostWith({ sql: () => Promise.reject(new NotYet('no socket')) })
  await doIt(unborn, write({ validate }))
  expect(unborn.disk.get('/etc/x.service')?.content).toBe('new')
})

test('a failed command tells its first line in the message, all of it in the detail, and its diagnosis', async () => {
  const host = hostWith({
    exec: ([name]) =>
      name === 'read-journal'
        ? { ...ok, stdout: 'kine: no such table\n' }
        : { code: 1, stdout: '', stderr: 'Job failed.\nSee more.\n' },
  })
  const change: Change = {
    kind: 'exec',
    argv: ['systemctl', 'start', 'kine'],
    timeoutMs: 1_000,
    diagnose: ['read-journal'],
  }
  await expect(doIt(host, change)).rejects.toMatchObject({
    code: 'E_COMMAND_FAILED',
    message: 'h1: systemctl start kine exited 1: Job failed.',
    detail: 'Job failed.\nSee more.\nkine: no such table',
  })
})

describe('a command that somebody is in the way of', () => {
  const fetchLists: Change = {
    kind: 'exec',
    argv: ['apt-get', 'update'],
    timeoutMs: 1_000,
    again: { words: ['Could not get lock /var/lib/apt/lists/lock'], forMs: 3_000 },
  }
  const held = {
    code: 100,
    stdout: '',
    stderr: 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n',
  }

  test('is run again until it is free', async () => {
    const answers = [held, held, ok]
    const host = hostWith({ exec: () => answers.shift() ?? held })
    expect(await doIt(host, fetchLists)).toEqual(ok)
    expect(answers).toEqual([])
  })

  test('fails with its own words when that takes too long', async () => {
    let runs = 0
    const host = hostWith({ exec: () => ((runs += 1), held) })
    await expect(doIt(host, fetchLists)).rejects.toThrow('It is held by process 7')
    expect(runs).toBe(4)
  })

  test('fails at once for any other reason', async () => {
    let runs = 0
    const host = hostWith({ exec: () => ((runs += 1), { ...held, stderr: 'E: no network' }) })
    await expect(doIt(host, fetchLists)).rejects.toThrow('no network')
    expect(runs).toBe(1)
  })

  test('is not run again after an interrupt', async () => {
    const stop = new AbortController()
    const host = hostWith({ exec: () => (stop.abort(new Error('interrupted')), held) })
    await expect(doIt(host, fetchLists, stop.signal)).rejects.toThrow('interrupted')
  })
})

test('codes that a change accepts are outcomes', async () => {
  const host = hostWith({ exec: () => ({ code: 3, stdout: 'x', stderr: '' }) })
  const outcome = await doIt(host, { kind: 'exec', argv: ['x'], timeoutMs: 1, acceptCodes: [0, 3] })
  expect(outcome).toEqual({ code: 3, stdout: 'x', stderr: '' })
})

const refusing = (error: Error) => hostWith({ sql: () => Promise.reject(error) })

test('a tolerated statement may be refused by PostgreSQL, and by nothing else', async () => {
  const change: Change = {
    kind: 'sql',
    database: 'kine',
    text: 'drop subscription s',
    tolerate: 'detached already',
  }
  await doIt(refusing(new TwonodeError('E_SQL', 'no')), change)
  await expect(doIt(refusing(new NotYet('no socket')), change)).rejects.toThrow('no socket')
})

test('a wait polls until it holds, and fails with what it waited for', async () => {
  let looks = 0
  const host = hostWith({ reachable: () => (looks += 1) >= 3 })
  const until = { kind: 'tcp', address: '192.0.2.1', port: 6443 } as const
  await doIt(host, { kind: 'await', until, what: 'the API', timeoutMs: 5_000, intervalMs: 1_000 })
  expect(looks).toBe(3)
  const last = hostWith({ reachable: () => (looks += 1) >= 6 })
  looks = 0
  await doIt(last, { kind: 'await', until, what: 'the API', timeoutMs: 5_000, intervalMs: 1_000 })
  const never = hostWith({ reachable: () => false })
  await expect(
    doIt(never, { kind: 'await', until, what: 'the API', timeoutMs: 5_000, intervalMs: 1_000 }),
  ).rejects.toThrow('h1: waited 5 s for the API')
})

test('a wait that can not be told says why, and an interrupt ends it', async () => {
  const broken = hostWith({ sql: () => Promise.reject(new NotYet('no socket')) })
  const change: Change = {
    kind: 'await',
    until: { kind: 'sql', database: 'kine', text: 'select true' },
    what: 'x',
    timeoutMs: 2_000,
    intervalMs: 1_000,
  }
  await expect(doIt(broken, change)).rejects.toMatchObject({ detail: 'no socket' })
  const stop = new AbortController()
  stop.abort(new TwonodeError('E_INTERRUPTED', 'interrupted'))
  await expect(doIt(broken, change, stop.signal)).rejects.toThrow('interrupted')
})

test('every other kind of change is one call of the host', async () => {
  const host = hostWith({ sql: () => [], obtain: async () => {} })
  const root = { owner: 'root', group: 'root' }
  const request = {
    commonName: 'x',
    subjectAltNames: [],
    usages: [],
    validDays: 1,
    certificatePath: '/etc/c',
    keyPath: '/etc/k',
    caCertificatePath: '/etc/ca',
    caKeyPath: '/etc/cak',
    ...root,
  }
  const changes: Change[] = [
    { kind: 'directory', path: '/etc/d', mode: 0o700, ...root },
    { kind: 'attributes', path: '/etc/d', mode: 0o755, before: '0700 root:root' },
    { kind: 'link', path: '/etc/l', target: '/etc/d' },
    {
      kind: 'sqlTransaction',
      database: 'kine',
      statements: [{ text: 'insert' }],
      statementTimeoutMs: 1,
      lockTimeoutMs: 1,
    },
    {
      kind: 'install',
      source: { kind: 'blob', name: 'k3s' },
      sha256: 'ab',
      path: '/etc/k3s',
      mode: 0o755,
      ...root,
      timeoutMs: 1,
    },
    { kind: 'issue', request, why: 'missing' },
    { kind: 'obtain', secret: 'ca' },
    { kind: 'salvage', request: { folder: '/var/s' } as SalvageRequest },
    { kind: 'remove', path: '/etc/l', recursive: false },
  ]
  for (const change of changes) await doIt(host, change)
  expect(host.written).toEqual([
    'directory /etc/d',
    'attributes /etc/d',
    'link /etc/l',
    'insert',
    'install /etc/k3s',
    'issue /etc/c',
    'salvage /var/s',
    'remove /etc/l',
  ])
  expect(host.disk.get('/etc/d')?.mode).toBe(0o755)
})
