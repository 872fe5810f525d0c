import { createTwoFilesPatch } from 'diff'
import { expect, test } from 'vitest'
import type { Write } from '../../src/core/change.ts'
import { Secret } from '../../src/core/secret.ts'
import { diffOf, unifiedDiff } from '../../src/engine/diff_text.ts'

const write = (more: Partial<Write>): Write => ({
  kind: 'write',
  path: '/etc/x',
  content: 'one\ntwo\n',
  mode: 0o644,
  owner: 'root',
  group: 'root',
  before: 'one\n',
  ...more,
})

test('a changed file is shown as a unified diff', () => {
  expect(diffOf(write({}))).toBe('--- /etc/x\n+++ /etc/x\n@@ -1,1 +1,2 @@\n one\n+two\n')
})

test.each(['one\ntwo\n', 'one\ntwo', 'one\n', '\n', ''])(
  'a new file is shown as a comparison with nothing would: %j',
  (content) => {
    const options = {
      context: 3,
      headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
    }
    const compared = createTwoFilesPatch('/dev/null', '/etc/x', '', content, '', '', options)
    expect(diffOf(write({ before: undefined, content }))).toBe(compared)
  },
)

test('a secret content shows nothing, neither new nor old', () => {
  const hidden = 'secret content differs (not shown)'
  expect(diffOf(write({ content: new Secret('hunter2', 'env:X'), before: 'hunter1' }))).toBe(hidden)
  expect(diffOf(write({ secret: true, content: 'hunter2', before: 'hunter1' }))).toBe(hidden)
})

test.each([
  ['is', { mode: 0o640 }],
  ['was', { beforeMode: 0o600 }],
  ['becomes and was', { mode: 0o600, beforeMode: 0o600 }],
])('what stood in a file that %s private is not shown', (_, modes) => {
  expect(diffOf(write({ ...modes, before: 'hunter1' }))).toBe('private content differs (not shown)')
})

test('a new private file, and one that everybody may read, is shown', () => {
  expect(diffOf(write({ mode: 0o600, before: undefined }))).toContain('+two')
  expect(diffOf(write({ beforeMode: 0o644 }))).toContain('+two')
})

const lines = (mark: string) => Array.from({ length: 20_000 }, (_, i) => `${mark}${i}`).join('\n')

test('binary content, and content without a line in common, is not shown', () => {
  expect(diffOf(write({ content: 'a\0b' }))).toBe('binary content differs (not shown)')
  expect(unifiedDiff('/etc/x', lines('a'), lines('b'))).toBe('content differs too much to be shown')
})

test('a very long diff is cut', () => {
  const text = diffOf(write({ before: undefined, content: 'line of text\n'.repeat(10_000) })) ?? ''
  expect(text.length).toBeLessThan(33_000)
  expect(text).toMatch(/characters more\)\n$/)
})

test('changes that replace no content have none', () => {
  expect(diffOf({ kind: 'remove', path: '/etc/x', recursive: false })).toBeUndefined()
})
