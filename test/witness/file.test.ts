import { mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { serialiseClaim } from '../../src/pair/claim.ts'
import { FileWitness, initFileWitness } from '../../src/witness/file.ts'
import { claimBy, keptBy, raced, versionOf } from './claims.ts'

const folders: string[] = []

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function share(): Promise<string> {
  const directory = await mkdtemp('/tmp/twonode-share-')
  folders.push(directory)
  return directory
}

const on = (directory: string) => new FileWitness({ directory, site: 'lab', timeoutMs: 10_000 })

test('a folder without its marker is where a share is not mounted: no answer, and nothing is written (A4)', async () => {
  const directory = await share()
  const witness = on(directory)
  expect(await keptBy(witness)).toContain('no marker: is the share mounted')
  expect(await witness.swap(claimBy('h1', 5, 'a'), null)).toMatchObject({ kind: 'silent' })
  expect(await readdir(directory)).toEqual([])
  expect(await keptBy(on('/nonexistent/share'))).toContain('no marker')
})

test('claims on a share are swapped by their number, and one of two at once wins (A4)', async () => {
  const directory = await share()
  await initFileWitness(directory)
  const [one, other] = [on(directory), on(directory)]
  expect(await keptBy(one)).toBe('absent')
  expect(await one.swap(claimBy('h1', 5, 'a'), null)).toEqual({ kind: 'written' })
  expect(await other.swap(claimBy('h2', 5, 'b'), null)).toEqual({ kind: 'lost' })
  for (let term = 6; term < 46; term++) {
    const { told, kept } = await raced(one, other, term)
    expect(told.toSorted()).toEqual(['lost', 'written'])
    expect(kept).toBe(`${term} ${told[0] === 'written' ? 'h1' : 'h2'}`)
  }
  expect((await readdir(directory)).filter((name) => name.endsWith('.next'))).toEqual([])
})

test('old claims are kept for those who see them late, and in the end removed', async () => {
  const directory = await share()
  await initFileWitness(directory)
  const witness = on(directory)
  await witness.swap(claimBy('h1', 5, 'a'), null)
  for (let term = 6; term < 90; term++)
    await witness.swap(claimBy('h1', term, `n${term}`), await versionOf(witness))
  const numbers = (await readdir(directory)).filter((name) => name.startsWith('lab.'))
  expect(numbers).toHaveLength(64)
  expect(await keptBy(witness)).toBe('89 h1')
})

test('of a file that is no claim no more is read than a claim may have', async () => {
  const directory = await share()
  await initFileWitness(directory)
  const path = join(directory, 'lab.1.json')
  await writeFile(path, '')
  // More than can be read at once, and no block of it on the disk.
  await truncate(path, 4 * 1024 ** 3)
  expect(await keptBy(on(directory))).toContain('what it keeps is no claim')
})

test("what is torn, another site's, or a file of somebody else's decides nothing", async () => {
  const directory = await share()
  await initFileWitness(directory)
  const witness = on(directory)
  await writeFile(join(directory, 'lab2.9.json'), 'x')
  await writeFile(join(directory, 'notes.txt'), 'x')
  expect(await keptBy(witness)).toBe('absent')
  const foreign = serialiseClaim(claimBy('h1', 5, 'a')).replace('lab', 'other')
  await writeFile(join(directory, 'lab.1.json'), foreign)
  expect(await keptBy(witness)).toContain('of site "other", not lab')
  await writeFile(join(directory, 'lab.2.json'), '{"format":1')
  expect(await keptBy(witness)).toContain('no claim')
})

test('a share that hangs is asked once and no more: it takes one thread of the agent, not all', async () => {
  const directory = await share()
  await initFileWitness(directory)
  // To open a pipe that nobody writes to hangs as a dead share does.
  const { execFileSync } = await import('node:child_process')
  execFileSync('mkfifo', [join(directory, 'pipe')])
  await symlink('pipe', join(directory, 'lab.1.json'))
  const witness = new FileWitness({ directory, site: 'lab', timeoutMs: 300 })
  expect(await keptBy(witness)).toContain('no answer within 300 ms')
  expect(await keptBy(witness)).toContain('the call before this one hangs')
  await writeFile(join(directory, 'pipe'), '{}')
  await expect.poll(() => keptBy(witness), { timeout: 10_000 }).not.toContain('hangs')
})
