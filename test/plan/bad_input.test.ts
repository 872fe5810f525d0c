import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { TwonodeError } from '../../src/core/errors.ts'
import { formatPlace } from '../../src/core/place.ts'
import { compileTexts, refusalsOf } from './compile_text.ts'

interface BadCase {
  readonly name: string
  readonly inventory?: string
  readonly playbook?: string
  readonly files?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
  /** `CODE file:line:column words`, then ` | hint` if the hint matters; `-` for no place. */
  readonly errors: readonly string[]
}

const CASES = parse(
  readFileSync(new URL('../cases/plan/bad.yaml', import.meta.url), 'utf8'),
) as readonly BadCase[]

test('the table has at least forty bad inputs', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(40)
})

test.each(CASES)(
  '$name is refused where it stands',
  ({ inventory, playbook, files, tags, errors }) => {
    const texts = {
      ...(inventory === undefined ? {} : { 'inventory.yaml': inventory }),
      'playbook.yaml': playbook ?? '[]\n',
      ...files,
    }
    const found = refusalsOf(() => compileTexts(texts, { tags: tags ?? [] }))
    expect(found.map(placeOf)).toEqual(
      errors.map((error) => error.split(' ').slice(0, 2).join(' ')),
    )
    errors.forEach((error, i) => {
      const [words = '', hint] = error.split(' ').slice(2).join(' ').split(' | ')
      expect(found[i]?.message).toContain(words)
      expect(found[i]?.hint).toContain(hint ?? '')
      expect(found[i]?.exitCode).toBe(2)
    })
  },
)

function placeOf({ code, place }: TwonodeError): string {
  return `${code} ${place === undefined ? '-' : formatPlace(place)}`
}
