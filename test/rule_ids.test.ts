import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** The rules of the design's trials: each was paid for with an experiment. */
// oxfmt-ignore
const RULES = [
  'A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7', 'A8', 'A9',
  'B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B9', 'B10',
  'C1', 'C2', 'C3', 'C4',
]

/** What stands between quotes on the line of a test's name, or on a line of its own below it. */
const NAME = /(?:\b(?:test|describe)\b[^'"`]*|\]\)\(|^\s*)(['"`])(?<name>(?:(?!\1).)+)\1,/gm

test('every rule of the trials stands in the name of a test that holds it', () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  const names = files
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(NAME)])
    .map(({ groups }) => groups?.['name'] ?? '')
  const held = new Set(names.flatMap((name) => name.match(/\b[ABC]\d+\b/g) ?? []))
  expect(RULES.filter((rule) => !held.has(rule))).toEqual([])
})
