import * as fc from 'fast-check'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { editLines } from '../../modules/parts/line_edit.ts'
import { lines } from '../../modules/lines.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(lines)

const withHosts = () =>
  localWorld(async (_, root) => {
    await writeFile(join(root, 'hosts'), '127.0.0.1 localhost\n10.0.0.9 h2')
    return {}
  })

moduleLaws(lines, withHosts, [
  {
    title: 'a line that replaces another',
    args: { path: 'ROOT/hosts', regexp: '\\sh2$', line: '10.0.0.2 h2' },
    opposite: { path: 'ROOT/hosts', regexp: '\\sh2$', state: 'absent' },
  },
  {
    title: 'several lines',
    args: { path: 'ROOT/hosts', lines: ['10.0.0.3 h3', '10.0.0.4 h4'] },
    opposite: { path: 'ROOT/hosts', lines: ['10.0.0.3 h3', '10.0.0.4 h4'], state: 'absent' },
  },
  { title: 'a file of its own', args: { path: 'ROOT/modules', line: 'overlay', create: true } },
])

const text = fc.array(fc.constantFrom('a', 'b', 'a=1', 'a=2', ''), { maxLength: 6 })
const edit = fc.record({
  lines: fc.uniqueArray(fc.constantFrom('a', 'a=1', 'c'), { minLength: 1, maxLength: 1 }),
  regexp: fc.constantFrom(undefined, '^a', '^b$', '='),
  insertAfter: fc.constantFrom(undefined, '^b$'),
  state: fc.constantFrom('present' as const, 'absent' as const),
})

test('an edit done twice is an edit done once', () => {
  fc.assert(
    fc.property(text, edit, (before, wanted) => {
      const once = editLines(before.join('\n'), wanted)
      expect(editLines(once, wanted)).toBe(once)
    }),
  )
})

test('after an edit the line is there, or no line that was meant is', () => {
  fc.assert(
    fc.property(text, edit, (before, wanted) => {
      const after = editLines(before.join('\n'), wanted).split('\n')
      const [line = ''] = wanted.lines
      expect(after.includes(line)).toBe(wanted.state === 'present')
    }),
  )
})
