import { assert, constantFrom, dictionary, jsonValue, oneof, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { JsonObject } from '../../src/core/json.ts'
import { yamlText } from '../../src/plan/yaml_text.ts'

const text = oneof(
  string({ unit: 'grapheme', maxLength: 40 }),
  string({ unit: 'binary', maxLength: 20 }),
  string({
    unit: constantFrom('a', ' ', '\n', '\t', ':', '#', '-', '|', '"', "'", '\r', '{', '%'),
  }),
  constantFrom(
    'yes',
    'NULL',
    '1e3',
    '0x1f',
    '.inf',
    '~',
    'a: b',
    '- a',
    'a #b',
    '---',
    '\n',
    '\ufeff',
  ),
)

test('whatever is written reads back as it was', () => {
  assert(
    property(
      dictionary(text, oneof(jsonValue({ maxDepth: 4 }), text), { noNullPrototype: true }),
      (value) => {
        // A key that JavaScript keeps for itself is no key of ours.
        const own = Object.fromEntries(Object.entries(value).filter(([key]) => key !== '__proto__'))
        const plain = JSON.parse(JSON.stringify(own)) as JsonObject
        expect(parse(yamlText(plain))).toEqual(plain)
      },
    ),
    { numRuns: 1_000 },
  )
})

test('reads like what a person would write', () => {
  const plays = [
    {
      name: 'Packages are there',
      tags: ['packages'],
      steps: [{ file: { path: '/etc/x', content: 'a\n\nb\n' } }],
    },
    { name: 'on', timeoutMs: 1000, steps: [], vars: {}, list: [['a', 'b'], [null]] },
  ]
  expect(yamlText({ format: 1, plays })).toBe(`format: 1
plays:
  - name: Packages are there
    tags:
      - packages
    steps:
      - file:
          path: /etc/x
          content: |
            a

            b
  - name: "on"
    timeoutMs: 1000
    steps: []
    vars: {}
    list:
      - - a
        - b
      - - null
`)
})
