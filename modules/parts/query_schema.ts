import type { Schema } from '../../src/core/module.ts'

/** A query that a task only reads with: in which database, and what. */
export function querySchema(description: string): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'query'],
    description,
    properties: {
      database: { type: 'string', minLength: 1, description: 'Database.' },
      query: { type: 'string', minLength: 1, description: 'The query. It must only read.' },
    },
  }
}
