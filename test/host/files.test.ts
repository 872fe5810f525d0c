import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLocalHost } from '../../src/host/local.ts'
import { refusal } from './refusal.ts'

const host = createLocalHost({ name: 'h1', digestsPath: null })
const ROOT = { mode: 0o644, owner: 'root', group: 'root' }

let directory: string

beforeEach(() => {
  directory = mkdtempSync('/tmp/twonode-files-')
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const at = (name: string) => join(directory, name)
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

/** No temporary file of ours is left in a directory. */
function expectTidy(path = directory): void {
  expect(readdirSync(path).filter((name) => name.startsWith('.twonode-'))).toEqual([])
}

describe('reading', () => {
  test('what is not there is undefined, also below a file', async () => {
    writeFileSync(at('plain'), '')
    for (const path of [at('none'), at('plain/below'), at('no/such')]) {
      expect(await host.readFile(path)).toBeUndefined()
      expect(await host.stat(path)).toBeUndefined()
      expect(await host.list(path)).toBeUndefined()
      expect(await host.digest(path)).toBeUndefined()
    }
  })

  test('files of /proc, whose size is 0, are read to their end', async () => {
    expect(await host.readFile('/proc/self/status')).toContain('VmRSS')
  })

  test('more than 8 MB, a directory and a pipe are refused, not waited for', async () => {
    writeFileSync(at('big'), Buffer.alloc(8 * 1024 * 1024 + 1))
    execFileSync('mkfifo', [at('pipe')])
    expect((await refusal(host.readFile(at('big')))).message).toContain('larger than 8 MB')
    expect((await refusal(host.readFile(directory))).message).toContain('it is a directory')
    expect((await refusal(host.readFile(at('pipe')))).message).toContain('it is no file')
    expect((await refusal(host.digest(at('pipe')))).message).toContain('it is no file')
  })

  test('a link is seen as itself, with names for its owners', async () => {
    symlinkSync('elsewhere', at('link'))
    execFileSync('chown', ['-h', 'postgres:daemon', at('link')])
    expect(await host.stat(at('link'))).toMatchObject({
      kind: 'link',
      target: 'elsewhere',
      owner: 'postgres',
      group: 'daemon',
    })
  })

  test('an owner without a name is its number', async () => {
    writeFileSync(at('orphan'), 'x')
    execFileSync('chown', ['54321:54322', at('orphan')])
    expect(await host.stat(at('orphan'))).toMatchObject({ owner: '54321', group: '54322', size: 1 })
  })

  test('names in a directory come sorted', async () => {
    for (const name of ['b', 'a', 'C']) writeFileSync(at(name), '')
    expect(await host.list(directory)).toEqual(['C', 'a', 'b'])
  })
})

describe('directories, links, attributes, removal', () => {
  test('a directory is made with exactly its mode, and its parent must be there', async () => {
    const before = process.umask(0o077)
    await host.makeDirectory(at('new'), { mode: 0o2775, owner: 'postgres', group: 'daemon' })
    process.umask(before)
    expect(await host.stat(at('new'))).toMatchObject({
      kind: 'directory',
      mode: 0o2775,
      owner: 'postgres',
      group: 'daemon',
    })
    await host.makeDirectory(at('new'), ROOT)
    expect(await host.stat(at('new'))).toMatchObject({ mode: 0o644, owner: 'root' })
    const error = await refusal(host.makeDirectory(at('a/b'), ROOT))
    expect(error.message).toContain('its directory does not exist')
    writeFileSync(at('file'), '')
    expect((await refusal(host.makeDirectory(at('file'), ROOT))).message).toContain(
      'something else',
    )
  })

  test('a link is made, and pointed anew in one step', async () => {
    await host.makeLink(at('current'), 'one')
    await host.makeLink(at('current'), 'two')
    expect(readlinkSync(at('current'))).toBe('two')
    mkdirSync(at('folder'))
    expect((await refusal(host.makeLink(at('folder'), 'x'))).message).toContain('directory')
    expectTidy()
  })

  test('attributes change one by one, and a link is not followed', async () => {
    writeFileSync(at('file'), '')
    chmodSync(at('file'), 0o600)
    await host.setAttributes(at('file'), { owner: 'postgres' })
    await host.setAttributes(at('file'), { mode: 0o640 })
    await host.setAttributes(at('file'), { group: 'daemon' })
    expect(await host.stat(at('file'))).toMatchObject({
      mode: 0o640,
      owner: 'postgres',
      group: 'daemon',
    })
    symlinkSync('file', at('link'))
    await host.setAttributes(at('link'), { owner: 'daemon' })
    expect(await host.stat(at('file'))).toMatchObject({ owner: 'postgres' })
    expect(await host.stat(at('link'))).toMatchObject({ owner: 'daemon' })
    const mode = host.setAttributes(at('link'), { mode: 0o777 })
    expect((await refusal(mode)).message).toContain('it is a link')
  })

  test('removing takes files, links and, on request, trees; what is not there is no error', async () => {
    mkdirSync(at('tree/deep'), { recursive: true })
    writeFileSync(at('tree/deep/file'), '')
    symlinkSync('tree', at('link'))
    await host.remove(at('none'), false)
    await host.remove(at('link'), true)
    expect(readdirSync(directory)).toEqual(['tree'])
    const error = await refusal(host.remove(at('tree'), false))
    expect(error.message).toContain('not empty')
    await host.remove(at('tree'), true)
    expect(readdirSync(directory)).toEqual([])
  })

  test.each(['/', '/etc', '/var/', '/usr/..'])('%s is never removed as a tree', async (path) => {
    const error = await refusal(host.remove(path, true))
    expect(error.message).toContain('a directory of the system itself')
  })
})

describe('digests', () => {
  test('are those of the content', async () => {
    writeFileSync(at('file'), 'abc')
    symlinkSync('file', at('link'))
    expect(await host.digest(at('file'))).toBe(sha256('abc'))
    expect(await host.digest(at('link'))).toBe(sha256('abc'))
  })

  test('of big files are remembered between runs, until anything about the file changes', async () => {
    const big = Buffer.alloc(9 * 1024 * 1024, 'x')
    writeFileSync(at('big'), big)
    const memo = at('digests.json')
    const remembering = () => createLocalHost({ name: 'h1', digestsPath: memo })

    // Just written: it may change again within the clock's tick, so it is not remembered yet.
    const first = remembering()
    expect(await first.digest(at('big'))).toBe(sha256(big))
    await first.close()
    expect(readdirSync(directory)).toEqual(['big'])

    const settled = Date.now() + 15_000
    while (!readdirSync(directory).includes('digests.json')) {
      if (Date.now() > settled) throw new Error('the digest was never remembered')
      await new Promise((resolve) => setTimeout(resolve, 200))
      const later = remembering()
      await later.digest(at('big'))
      await later.close()
    }

    // A false memory shows that it is used, and that a rehash does not believe it.
    const [entry] = JSON.parse(readFileSync(memo, 'utf8')) as [string, string][]
    writeFileSync(memo, JSON.stringify([[entry?.[0], 'f'.repeat(64)]]))
    expect(await remembering().digest(at('big'))).toBe('f'.repeat(64))
    const real = createLocalHost({ name: 'h1', digestsPath: memo, rehash: true })
    expect(await real.digest(at('big'))).toBe(sha256(big))

    utimesSync(at('big'), 1, 1)
    expect(await remembering().digest(at('big'))).toBe(sha256(big))
    writeFileSync(memo, '{torn')
    expect(await remembering().digest(at('big'))).toBe(sha256(big))
  })
})

describe('accounts', () => {
  test('are read from their files, again when these have changed', async () => {
    const own = createLocalHost({ name: 'h1', digestsPath: null, accountsDirectory: directory })
    writeFileSync(at('passwd'), 'root:x:0:0:root:/root:/bin/sh\nbroken line\n')
    writeFileSync(at('group'), 'root:x:0:\n')
    expect(await own.batch.userId('kine')).toBeUndefined()
    writeFileSync(at('passwd'), 'root:x:0:0:root:/root:/bin/sh\nkine:x:990:991::/:/bin/false\n')
    writeFileSync(at('group'), 'root:x:0:\nkine:x:991:root\n')
    expect(await own.batch.userId('kine')).toBe(990)
    expect(await own.batch.groupId('kine')).toBe(991)
    await own.writeFile(at('file'), '', { mode: 0o600, owner: 'kine', group: '7', expected: null })
    const { uid, gid } = lstatSync(at('file'))
    expect([uid, gid]).toEqual([990, 7])
  })
})

test('what the kernel tells of a process that has ended is no error, though its file still stands', async () => {
  // bash becomes a tail, which waits for no child: the one that it had stays a zombie.
  const becomes = `exec tail --follow --pid=${process.pid} /dev/null`
  const parent = spawn('bash', ['-c', `read <&3 & echo $!; ${becomes}`], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  })
  try {
    const [, told, , end] = parent.stdio
    if (!(told instanceof Readable && end instanceof Writable)) throw new Error('no pipes')
    const zombie = String(await once(told, 'data')).trim()
    // Until then bash would still take note of its child's end.
    const name = () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8')
    await expect.poll(name, { timeout: 10_000 }).toBe('tail\n')
    end.end()
    const state = () => readFileSync(`/proc/${zombie}/stat`, 'utf8')
    await expect.poll(state, { timeout: 10_000 }).toMatch(/\) Z/)
    expect((await host.readFile(`/proc/${zombie}/environ`)) ?? '').toBe('')
  } finally {
    parent.kill('SIGKILL')
  }
})
