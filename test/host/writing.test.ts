import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TwonodeError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { refusal } from './refusal.ts'

const host = createLocalHost({ name: 'h1', digestsPath: null })
const ROOT = { mode: 0o644, owner: 'root', group: 'root' }

let directory: string
let mounts: string[]

beforeEach(() => {
  directory = mkdtempSync('/tmp/twonode-files-')
  mounts = []
})

afterEach(() => {
  for (const path of mounts.toReversed()) execFileSync('umount', ['-l', path])
  rmSync(directory, { recursive: true, force: true })
})

const at = (name: string) => join(directory, name)
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

/** No temporary file of ours is left in a directory. */
function expectTidy(path = directory): void {
  expect(readdirSync(path).filter((name) => name.startsWith('.twonode-'))).toEqual([])
}

function mount(path: string, ...options: string[]): void {
  execFileSync('mount', [...options, path])
  mounts.push(path)
}

/** The error of writing a file that is not there. */
async function refusedWrite(path: string, more = {}): Promise<TwonodeError> {
  return await refusal(host.writeFile(path, 'x', { ...ROOT, expected: null, ...more }))
}

describe('writing', () => {
  test('gives exactly the content, mode and owner, whatever the umask', async () => {
    const before = process.umask(0o077)
    await host.writeFile(at('new'), 'ü\n', {
      mode: 0o4755,
      owner: 'postgres',
      group: 'daemon',
      expected: null,
    })
    process.umask(before)
    expect(readFileSync(at('new'), 'utf8')).toBe('ü\n')
    expect(await host.stat(at('new'))).toMatchObject({
      mode: 0o4755,
      owner: 'postgres',
      group: 'daemon',
    })
    expectTidy()
  })

  test('a secret arrives as its value', async () => {
    const secret = new Secret('the value', 'test')
    await host.writeFile(at('token'), secret, { ...ROOT, mode: 0o600, expected: null })
    expect(readFileSync(at('token'), 'utf8')).toBe('the value')
  })

  test.each([
    ['was changed', 'other', sha256('read')],
    ['appeared', 'other', null],
    ['vanished', undefined, sha256('read')],
  ])('is refused if the file %s since it was read', async (words, now, expected) => {
    if (now !== undefined) writeFileSync(at('file'), now)
    const error = await refusal(host.writeFile(at('file'), 'new', { ...ROOT, expected }))
    expect(error.code).toBe('E_CHANGED_MEANWHILE')
    expect(error.message).toContain(words)
    expect(await host.readFile(at('file'))).toBe(now)
    expectTidy()
  })

  test('a file that is no UTF-8 can be replaced by who read it as text', async () => {
    writeFileSync(at('latin1'), Buffer.from([0x67, 0x72, 0xfc, 0xdf]))
    const seen = (await host.readFile(at('latin1'))) ?? ''
    await host.writeFile(at('latin1'), 'neu', { ...ROOT, expected: sha256(seen) })
    expect(readFileSync(at('latin1'), 'utf8')).toBe('neu')
  })

  test('does not go through a link, and says where it leads', async () => {
    writeFileSync(at('real'), 'old')
    symlinkSync('real', at('link'))
    const error = await refusal(
      host.writeFile(at('link'), 'new', { ...ROOT, expected: sha256('old') }),
    )
    expect(error.message).toContain('it is a link to real')
    expect(readFileSync(at('real'), 'utf8')).toBe('old')
  })

  test('names a missing directory, a missing user and a directory in the way', async () => {
    expect(await refusedWrite(at('no/file'))).toMatchObject({ code: 'E_FILESYSTEM' })
    expect((await refusedWrite(at('no/file'))).message).toContain('its directory does not exist')
    expect(await refusedWrite(at('x'), { owner: 'nobody-here' })).toMatchObject({
      code: 'E_MISSING',
    })
    expect((await refusedWrite(directory)).message).toContain('it is a directory')
    expectTidy()
  })

  test('a full disk is said in words, and the old file stands', async () => {
    mount(directory, '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs')
    writeFileSync(at('file'), 'old')
    const error = await refusal(
      host.writeFile(at('file'), 'x'.repeat(200_000), { ...ROOT, expected: sha256('old') }),
    )
    expect(error).toMatchObject({ code: 'E_FILESYSTEM', exitCode: 3 })
    expect(error.message).toContain('no space left')
    expect(readFileSync(at('file'), 'utf8')).toBe('old')
    expectTidy()
  })

  test('a read-only file system is said in words', async () => {
    mount(directory, '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs')
    execFileSync('mount', ['-o', 'remount,ro', directory])
    const write = host.writeFile(at('file'), 'x', { ...ROOT, expected: null })
    expect((await refusal(write)).message).toContain('the file system is read-only')
    expect((await refusal(host.makeDirectory(at('new'), ROOT))).message).toContain('read-only')
  })

  test('a file that is mounted by itself can not be replaced, and that is said', async () => {
    writeFileSync(at('source'), 'mounted')
    writeFileSync(at('target'), '')
    mount(at('target'), '--bind', at('source'))
    const error = await refusal(
      host.writeFile(at('target'), 'new', { ...ROOT, expected: sha256('mounted') }),
    )
    expect(error.message).toContain('mount point')
    expectTidy()
  })

  test('a staged file stands beside its target, final, until it is decided on', async () => {
    writeFileSync(at('x.service'), 'old')
    const staged = await host.stage(at('x.service'), 'new', { ...ROOT, expected: sha256('old') })
    expect(staged.path).toMatch(/\/\.twonode-[0-9a-f]{8}\.x\.service$/)
    expect(readFileSync(staged.path, 'utf8')).toBe('new')
    expect(statSync(staged.path).mode & 0o7777).toBe(0o644)
    await staged.discard()
    expect(readFileSync(at('x.service'), 'utf8')).toBe('old')
    expectTidy()
    const second = await host.stage(at('x.service'), 'new', { ...ROOT, expected: sha256('old') })
    await second.commit()
    expect(readFileSync(at('x.service'), 'utf8')).toBe('new')
    expectTidy()
  })

  test('the longest name a file system takes still has room for a temporary one', async () => {
    const name = 'n'.repeat(255)
    await host.writeFile(at(name), 'x', { ...ROOT, expected: null })
    expect(readFileSync(at(name), 'utf8')).toBe('x')
  })
})
