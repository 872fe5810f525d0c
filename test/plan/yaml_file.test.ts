import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Document, parseDocument } from 'yaml'
import { Refusals } from '../../src/core/errors.ts'
import { formatPlace } from '../../src/core/place.ts'
import { YamlFile } from '../../src/plan/yaml_file.ts'

const STYLES = ['PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'] as const

/** What quoting, escaping, folding and comments are about. */
const CHARACTERS = Array.from('ab\'"\\:#{}[] \n\té😀-|>')

/** Character that stands once in each text, and that no style escapes. */
const MARK = '§'

test('a character of a scalar is found in the file, whatever the style', () => {
  const part = fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength: 60 })
  const text = fc.tuple(part, part).map(([before, after]) => `${before}${MARK}${after}`)
  fc.assert(
    fc.property(text, fc.constantFrom(...STYLES), (value, style) => {
      const document = new Document({ outer: [{ key: value }] })
      const node = document.getIn(['outer', 0, 'key'], true) as { type?: string }
      node.type = style
      const source = document.toString({ lineWidth: 30 })
      // The library writes some plain texts that it can't read itself.
      fc.pre(readsAs(source, value))
      const yaml = new YamlFile(source, 'f')
      const path = ['outer', 0, 'key']
      const { line, column } = yaml.within(path, value.indexOf(MARK))
      expect(source.split('\n')[line - 1]?.[column - 1]).toBe(MARK)
    }),
    { numRuns: 500 },
  )
})

test('aliases are followed, and places are those of the anchor', () => {
  const yaml = new YamlFile('base: &b\n  x: 1\nhere: *b\n', 'f')
  expect(yaml.value).toEqual({ base: { x: 1 }, here: { x: 1 } })
  expect(formatPlace(yaml.place(['here', 'x']))).toBe('f:2:6')
})

test('the place of a missing value is that of its nearest parent', () => {
  const yaml = new YamlFile('a:\n  b: 1\n', 'f')
  expect(formatPlace(yaml.place(['a', 'c', 'd']))).toBe('f:2:3')
  expect(formatPlace(yaml.keyPlace(['a', 'b']))).toBe('f:2:3')
})

const reads = (text: string): boolean => refusals(text).length === 0

test('a number that YAML reads otherwise than it looks is refused anywhere', () => {
  const changed = ['0644', '1.10', '1.0', '0x1F', '1e3', '+5', '12345678901234567890']
  const kept = ['644', '1.1', '-5', '0', '"0644"', '0644x', '1.1.0', 'v1.10']
  expect([...changed, ...kept].filter((source) => reads(`a: ${source}`))).toEqual(kept)
})

test('a secret is a reference in the value and a source beside it', () => {
  const yaml = new YamlFile(
    'a: !secret { file: ../token }\nb: !secret { exec: [pass, x] }\n',
    'd/f',
  )
  expect(yaml.value).toEqual({ a: { $secret: 'file:token' }, b: { $secret: 'exec:["pass","x"]' } })
  expect([...yaml.secrets.values()]).toMatchObject([
    { kind: 'file', path: '../token', place: { file: 'd/f', line: 1 } },
    { kind: 'exec', argv: ['pass', 'x'], place: { line: 2 } },
  ])
})

test('keys that mean something in a compiled plan can not be written by hand', () => {
  const keys = ['$secret', '$text', '$template', '__proto__']
  expect(keys.filter((key) => reads(`${key}: x`))).toEqual([])
})

test('only the first syntax error is told, and every duplicate key', () => {
  const errors = refusals('a: [1, 2 3, 4 5]\nb: {\n')
  expect(errors).toHaveLength(1)
  expect(refusals('a: 1\na: 2\nb: 1\nb: 2\n')).toHaveLength(2)
})

test('an empty file is null, and its place is the first character', () => {
  const yaml = new YamlFile('', 'f')
  expect(yaml.value).toBeNull()
  expect(formatPlace(yaml.place([]))).toBe('f:1:1')
})

function refusals(text: string): readonly unknown[] {
  try {
    return [new YamlFile(text, 'f')].slice(1)
  } catch (error) {
    return error instanceof Refusals ? error.all : []
  }
}

function readsAs(source: string, value: string): boolean {
  const document = parseDocument(source)
  return document.errors.length === 0 && document.getIn(['outer', 0, 'key']) === value
}
