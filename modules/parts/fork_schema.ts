import type { JsonObject } from '../../src/core/json.ts'

/** A fork point as hostMeta has it. */
export const FORK_SCHEMA: JsonObject = {
  type: ['object', 'null'],
  default: null,
  additionalProperties: false,
  required: ['from', 'slot', 'lsn', 'count', 'sum', 'max', 'compactRevision'],
  description:
    'Where the branch left the one that it continues (A1); null until its leader has written its marker.',
  properties: {
    from: { type: 'integer', minimum: 1, description: 'The branch that it continues.' },
    slot: { type: ['string', 'null'], description: 'The slot by which its history came.' },
    lsn: {
      type: ['string', 'null'],
      description: "How far the old leader's history was applied; null: nothing was streamed yet.",
    },
    count: { type: 'integer', minimum: 0, description: "Rows of kine's table." },
    sum: { type: 'string', description: 'Sum of their ids, as text.' },
    max: { type: 'integer', minimum: 0, description: 'The highest id.' },
    compactRevision: { type: 'integer', minimum: 0, description: "kine's compact revision." },
  },
}
