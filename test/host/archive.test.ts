import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLocalHost } from '../../src/host/local.ts'
import { refusal } from './refusal.ts'

const CONTENT = randomBytes(1_000_000)
const host = createLocalHost({ name: 'h1', digestsPath: null })

let directory: string

beforeEach(() => {
  directory = mkdtempSync('/tmp/twonode-archive-')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

const digestOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** An archive as `tar` makes it, of a program and a text. */
function makeArchive(...flags: string[]): string {
  const tree = join(directory, 'tree')
  mkdirSync(join(tree, 'bin'), { recursive: true })
  writeFileSync(join(tree, 'bin/program'), CONTENT)
  writeFileSync(join(tree, 'README'), 'read me')
  const path = join(directory, 'archive')
  execFileSync('tar', ['-C', tree, ...flags, '-cf', path, '.'])
  rmSync(tree, { recursive: true })
  return path
}

async function install(archive: string, member: string): Promise<void> {
  await host.install({
    source: { kind: 'path', path: archive },
    sha256: digestOf(archive),
    path: join(directory, 'program'),
    mode: 0o755,
    owner: 'root',
    group: 'root',
    member,
    timeoutMs: 20_000,
  })
}

test.each([
  ['tar', []],
  ['tar.gz', ['-z']],
  ['tar in the pax format', ['--format=pax']],
])('one member of a %s becomes the file', async (_, flags) => {
  await install(makeArchive(...flags), 'bin/program')
  expect(readFileSync(join(directory, 'program')).equals(CONTENT)).toBe(true)
  expect(readdirSync(directory).sort()).toEqual(['archive', 'program'])
  expect((await host.stat(join(directory, 'program')))?.mode).toBe(0o755)
})

test('a member that is not in the archive is said, and nothing is left', async () => {
  const error = await refusal(install(makeArchive('-z'), 'bin/other'))
  expect(error.code).toBe('E_DOWNLOAD')
  expect(error.message).toContain('the archive has no file bin/other')
  expect(readdirSync(directory)).toEqual(['archive'])
})

test.each([
  ['tar', []],
  ['tar.gz', ['-z']],
])('a %s that breaks off is said, and nothing is left', async (_, flags) => {
  const path = makeArchive(...flags)
  writeFileSync(path, readFileSync(path).subarray(0, 100_000))
  expect(await refusal(install(path, 'bin/program'))).toMatchObject({ code: 'E_DOWNLOAD' })
  expect(readdirSync(directory)).toEqual(['archive'])
})

test('names in the archive lead nowhere: only the content of the member is taken', async () => {
  const outside = join(directory, 'outside')
  const tree = join(directory, 'tree')
  mkdirSync(tree)
  writeFileSync(join(tree, 'x'), 'evil')
  const path = join(directory, 'archive')
  execFileSync('tar', ['-C', tree, '--transform', 's,^x$,../outside,', '-Pcf', path, 'x'])
  rmSync(tree, { recursive: true })
  await install(path, '../outside')
  expect(await host.readFile(join(directory, 'program'))).toBe('evil')
  expect(await host.stat(outside)).toBeUndefined()
})
