import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { locateDistribution } from '../../src/cli/distribution.ts'
import { createLaptopFiles } from '../../src/cli/laptop_files.ts'

const made: string[] = []
afterEach(() => made.splice(0).forEach((path) => rmSync(path, { recursive: true })))

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'twonode-dist-'))
  made.push(path)
  return path
}

function dist(manifest: string): string {
  const path = join(folder(), 'dist')
  mkdirSync(join(path, 'bundle'), { recursive: true })
  mkdirSync(join(path, 'chunks'))
  writeFileSync(join(path, 'bundle', 'manifest.json'), manifest)
  return path
}

const MANIFEST = JSON.stringify({ sha256: 'ab', version: '1.0.0', files: ['main.mjs'] })

test('the bundle is found from dist/ and from a chunk below it; playbooks lie beside', () => {
  const path = dist(MANIFEST)
  for (const start of [path, join(path, 'chunks')]) {
    const found = locateDistribution(start, {})
    expect(found.bundle()).toEqual({
      sha256: 'ab',
      files: [{ name: 'main.mjs', path: join(path, 'bundle', 'main.mjs') }],
    })
    expect(found.playbooks).toBe(join(path, '../playbooks'))
  }
  expect(locateDistribution('/', { TWONODE_DIST: path }).bundle().sha256).toBe('ab')
})

test.each([
  ['nothing', undefined, 'does not exist'],
  ['a list', '[]', 'is no object'],
  ['no files', '{"sha256":"ab"}', 'names no files'],
])('a broken build is said to be one: %s', (_, manifest, why) => {
  const path = manifest === undefined ? folder() : dist(manifest)
  expect(() => locateDistribution(path, {}).bundle()).toThrow(why)
})

test('laptop files: missing is undefined, a digest follows the content, nothing is replaced unasked', () => {
  const laptopFiles = createLaptopFiles(folder())
  const path = join(folder(), 'deep', 'file')
  expect(laptopFiles.read(path)).toBeUndefined()
  expect(laptopFiles.digest(path)).toBeUndefined()
  expect(laptopFiles.list(path)).toBeUndefined()
  laptopFiles.write(path, 'one', { replace: false })
  const first = laptopFiles.digest(path)
  expect(first).toEqual({
    size: 3,
    sha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
  })
  expect(() => laptopFiles.write(path, 'two', { replace: false })).toThrow('EEXIST')
  laptopFiles.write(path, 'other', { replace: true })
  expect(laptopFiles.digest(path)).not.toEqual(first)
  expect(laptopFiles.list(join(path, '..'))).toEqual(['file'])
})
