import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

function trackedFiles(pattern: RegExp): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return listed.split('\n').filter((file) => pattern.test(file) && existsSync(join(ROOT, file)))
}

const sources = trackedFiles(/\.(ts|mjs)$/)

/** What no source may hold, and what to do instead. */
// oxfmt-ignore
const BANNED = [
  { what: /\b(?:TODO|FIXME|XXX|HACK)\b/,                        where: /^(src|modules|lab|bench|start|playbooks)\//, why: 'open an issue instead' },
  { what: /\b(?:test|it|describe)\.(?:skip|only|todo)\(/,       where: /^test\//,                                   why: 'a skipped test is never done' },
  { what: /['"](?:ba)?sh['"],\s*(?:\[\s*)?['"]-c['"]/,          where: /^(src|modules)\//,                          why: 'argv arrays, never a shell string' },
  { what: /@ts-(?:ignore|expect-error|nocheck)/,                where: /^(src|modules|lab|bench)\//,                why: 'make the types tell the truth' },
] as const

test.each(BANNED)('no source holds $what: $why', ({ what, where }) => {
  const found = sources.filter(
    (file) => where.test(file) && what.test(readFileSync(join(ROOT, file), 'utf8')),
  )
  expect(found.filter((file) => file !== 'test/tidy.test.ts')).toEqual([])
})

test('files are named in snake_case and split by noun', () => {
  const odd = sources
    .map((file) => basename(file))
    .filter(
      (name) =>
        !/^[a-z0-9_]+(\.test|\.config|\.d)?\.(ts|mjs)$/.test(name) ||
        /^(utils?|helpers?|common|misc)\./.test(name),
    )
  expect(odd).toEqual([])
})

test('the changelog has an entry for the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  expect(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')).toContain(`## ${version}`)
})

test('every dependency is pinned to one version', () => {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  )
  expect(loose).toEqual([])
})

test('the README quotes the example inventory as it is', () => {
  const example = readFileSync(join(ROOT, 'inventory/example.yaml'), 'utf8')
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(example)
})
