import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveOf, checkArchive, type Source } from '../../src/bundle/archive.ts'

const run = promisify(execFile)
const ABOUT = { site: 'shop', version: '0.1.0', architectures: ['x86_64'] }

let folder: string
let whole: Buffer
let sources: readonly (Source & { readonly path: string })[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twonode-bundle-'))
  sources = await Promise.all([
    sourceOf('bin/kine', 'k'.repeat(3000), true),
    sourceOf('debs/a_1.0-1+deb12u1_amd64.deb', 'd'.repeat(512)),
    sourceOf('site/empty', ''),
  ])
  whole = await packed(sources)
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

async function sourceOf(
  name: string,
  text: string,
  executable = false,
): Promise<Source & { readonly path: string }> {
  const path = join(folder, name.replaceAll('/', '_'))
  await writeFile(path, text)
  const sha256 = createHash('sha256').update(text).digest('hex')
  return {
    path,
    open: () => createReadStream(path),
    member: { name, sha256, size: text.length, executable },
  }
}

async function packed(of: readonly Source[]): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of archiveOf(ABOUT, of)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function checked(bytes: Buffer) {
  const path = join(folder, 'site.twonode')
  await writeFile(path, bytes)
  return await checkArchive(path)
}

test('what is packed is found again, byte for byte where it is said to be', async () => {
  const { manifest, members } = await checked(whole)
  expect(manifest).toMatchObject({ ...ABOUT, format: 1 })
  for (const { name, offset, size } of members) {
    const source = sources.find(({ member }) => member.name === name)
    expect(whole.subarray(offset, offset + size)).toEqual(await readFile(source?.path ?? ''))
  }
})

test('the same inputs, in whatever order, are the same bytes; tar itself can read them', async () => {
  expect(await packed(sources.toReversed())).toEqual(whole)
  await checked(whole)
  const { stdout } = await run('tar', ['-tvf', join(folder, 'site.twonode')])
  const lines = stdout.trim().split('\n')
  expect(lines.map((line) => line.split(/\s+/)[0])).toEqual([
    '-rw-r--r--',
    '-rwxr-xr-x',
    '-rw-r--r--',
    '-rw-r--r--',
  ])
})

test('one flipped bit is found, wherever it is but in the names of site, version and architecture: those are the signature’s', async () => {
  const names = Object.values(ABOUT)
    .flat()
    .map((name) => [whole.indexOf(name), name.length] as const)
  for (let at = 0; at < whole.length; at += 7) {
    if (names.some(([from, length]) => at >= from && at < from + length)) continue
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    await expect(checked(flipped), `byte ${at}`).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
  }
})

test('one that is cut off anywhere is found', async () => {
  for (let length = 0; length < whole.length; length += 511)
    await expect(checked(whole.subarray(0, length))).rejects.toMatchObject({
      code: 'E_SITE_BUNDLE',
    })
})

test.each([
  ['a further member', ['extra', '0']],
  ['a link', ['link', '2']],
  ['a path that leads out', ['../etc/cron.d/x', '0']],
] as const)('%s is found, though tar would take it', async (_, [name, type]) => {
  const header = Buffer.from(whole.subarray(0, 512))
  header.fill(0, 0, 100)
  header.write(name, 0)
  header.write('00000000000', 124)
  header.write(type, 156)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const end = whole.length - 1024
  const more = Buffer.concat([whole.subarray(0, end), header, whole.subarray(end)])
  await expect(checked(more)).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
})

test('a manifest of a newer format says what to do', async () => {
  const newer = Buffer.from(
    whole.toString('latin1').replace('"format": 1', '"format": 2'),
    'latin1',
  )
  await expect(checked(newer)).rejects.toThrow(/format 2/)
})

test.each([
  '../x',
  '/x',
  'a//b',
  'a/./b',
  'a/..',
  '.hidden',
  '-o',
  'manifest.json',
  'x'.repeat(101),
])('a member is not called %s', async (name) => {
  const source = await sourceOf('x', 'x')
  const named = { ...source, member: { ...source.member, name } }
  await expect(packed([named])).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
})
