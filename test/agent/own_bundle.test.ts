import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readlink, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adopt, previousBundle, pruneBundles, readBundle } from '../../src/agent/own_bundle.ts'
import { manifestText } from '../../src/bundle/manifest.ts'
import { planOf } from '../support/engine_run.ts'

let root: string

beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), 'twonode-own-bundle-'))))
afterEach(async () => await rm(root, { recursive: true, force: true }))

/** A bundle as install.sh leaves it; its runner is of this name. */
async function unpacked(name: string, runner = 'r1'): Promise<string> {
  const folder = join(root, 'bundles', name)
  const texts = {
    'plan.json': JSON.stringify({ ...planOf([]), bundle: runner }),
    'runner/main.mjs': `// ${runner}\n`,
    'runner/agent.mjs': '//\n',
  }
  const members = Object.entries(texts).map(([path, text]) => ({
    name: path,
    sha256: createHash('sha256').update(text).digest('hex'),
    size: text.length,
    executable: false,
  }))
  const about = { site: 'test', version: '1.2.3', architectures: ['x86_64'] }
  const all = { ...texts, 'manifest.json': manifestText({ ...about, members }) }
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

test('a bundle that was adopted is what the host goes by: program, runtime and files', async () => {
  const folder = await unpacked('one')
  await adopt(await readBundle(folder), root)
  await adopt(await readBundle(folder), root)
  expect(await readlink(join(root, 'site'))).toBe('bundles/one')
  expect(await readlink(join(root, 'current'))).toBe('bundle/r1')
  for (const path of ['current/main.mjs', 'current/agent.mjs', 'node', 'site/plan.json'])
    expect(existsSync(join(root, path)), path).toBe(true)
})

test('a piece that a cut left half done is made anew', async () => {
  await mkdir(join(root, 'bundle/r1'), { recursive: true })
  await writeFile(join(root, 'bundle/r1/agent.mjs'), 'half')
  await adopt(await readBundle(await unpacked('one')), root)
  expect(existsSync(join(root, 'current/main.mjs'))).toBe(true)
})

test('a file that changed on the disk since is found before anything goes by it', async () => {
  const folder = await unpacked('one')
  await writeFile(join(folder, 'runner/agent.mjs'), '//!')
  await expect(readBundle(folder)).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
  await rm(join(folder, 'runner/agent.mjs'))
  await expect(readBundle(folder)).rejects.toThrow('runner/agent.mjs')
  await expect(readBundle(join(root, 'none'))).rejects.toThrow('holds none')
})

test('the one that the host goes by is kept, and the one before; whatever comes in is left alone', async () => {
  expect(await previousBundle(root)).toBeUndefined()
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    const folder = await unpacked(name)
    await utimes(folder, index, index)
    await adopt(await readBundle(folder), root)
  }
  await mkdir(join(root, 'bundles/.incoming.x'))
  await writeFile(join(root, 'bundles/.lock'), '')
  expect(await previousBundle(root)).toBe(join(root, 'bundles/two'))
  await pruneBundles(root)
  expect((await readdir(join(root, 'bundles'))).toSorted()).toEqual([
    '.incoming.x',
    '.lock',
    'three',
    'two',
  ])
})
