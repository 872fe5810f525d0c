import { describe, expect, test } from 'vitest'
import {
  BadMessage,
  parseContent,
  StatusReader,
  statusMessage,
} from '../../src/agent/peer_messages.ts'
import { H1, statusOf } from './support/agents.ts'
import { metaOf } from './support/metas.ts'

const ENVELOPE = { format: 1, site: 'lab', nonce: '0123456789abcdef' }

/** What arrives: a text of its own each time, as from a connection. */
function fieldsOf(term: number): Record<string, unknown> {
  const sent = statusMessage(ENVELOPE, { ...statusOf(), meta: metaOf({ term }) })
  const {
    format: _,
    site: __,
    nonce: ___,
    ...fields
  } = JSON.parse(JSON.stringify(sent)) as object & Record<string, unknown>
  return fields
}

test("the peer's hostMeta is parsed when it is another one, and not in each round", () => {
  const reader = new StatusReader(H1)
  const first = reader.read(fieldsOf(2)).meta
  expect(first).toEqual(metaOf({ term: 2 }))
  for (let round = 0; round < 5; round += 1) expect(reader.read(fieldsOf(2)).meta).toBe(first)
  expect(reader.read(fieldsOf(3)).meta).toEqual(metaOf({ term: 3 }))
  expect(reader.read(fieldsOf(2)).meta).toEqual(first)
})

test('what was refused is refused again, also between two that are taken', () => {
  const reader = new StatusReader(H1)
  reader.read(fieldsOf(2))
  const torn = { ...fieldsOf(2), meta: 'format: 1\n' }
  for (let round = 0; round < 2; round += 1)
    expect(() => reader.read(torn)).toThrow("the peer's hostMeta")
  expect(reader.read(fieldsOf(2)).meta).toEqual(metaOf({ term: 2 }))
})

describe('the content of a table', () => {
  test('is a revision and a number, or not known', () => {
    expect(parseContent({ revision: 1200, digest: '812:-99123' })).toEqual({
      revision: 1200,
      digest: '812:-99123',
    })
    expect(parseContent({ revision: null, digest: null })).toBeNull()
  })

  test.each([
    { revision: 1200 },
    { revision: -1, digest: '1:1' },
    { revision: 1200, digest: null },
    { revision: 1200, digest: 'x' },
    { revision: 1200, digest: '1:1', more: true },
  ])('%j is refused', (fields) => {
    expect(() => parseContent(fields)).toThrow(BadMessage)
  })
})
