import { expectTypeOf, test } from 'vitest'
import type { Note } from '../../src/agent/ports.ts'
import type { JOURNAL_DOCS } from '../../src/cli/journal_docs.ts'

test('each kind of line that an agent writes is on the page, and no other', () => {
  expectTypeOf<keyof typeof JOURNAL_DOCS>().toEqualTypeOf<Note['kind']>()
})
