import { defineModule } from '../src/core/module.ts'
import type { JsonObject } from '../src/core/json.ts'
import { rowsAsJson } from './parts/sql_rows.ts'
import { querySchema } from './parts/query_schema.ts'

interface Args {
  readonly that: readonly string[]
  readonly message?: string
  readonly sql?: { readonly database: string; readonly query: string }
  readonly command?: readonly string[]
}

/** The names that the expressions may use beside the task's own. */
interface State {
  readonly rows: readonly JsonObject[]
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const NOTHING_READ: State = { rows: [], code: 0, stdout: '', stderr: '' }

export const assert = defineModule<Args, State>({
  name: 'assert',
  doc: {
    summary: 'Fails unless every expression holds; it may first ask a query or a command.',
    notes:
      'Expressions are CEL. Beside the names that every task has there are `rows` (of `sql`), and `code`, `stdout`, `stderr` (of `command`). Query and command must only read: they run in check mode too.',
    source: 'https://cel.dev/',
    examples: [
      {
        title: 'A fact',
        args: { that: ['facts.memoryMb >= 1500'], message: 'Kubernetes needs 1.5 GB' },
      },
      {
        title: 'A query',
        args: {
          sql: { database: 'kine', query: 'select count(*)::int as n from kine' },
          that: ['rows[0].n > 0'],
        },
      },
      {
        title: 'A command',
        args: {
          command: ['systemctl', 'is-system-running'],
          that: ["stdout.startsWith('running')"],
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['that'],
    properties: {
      that: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'string',
          minLength: 1,
          'x-cel': true,
          'x-cel-names': ['rows', 'code', 'stdout', 'stderr'],
        },
        description: 'Expressions that must all be true.',
      },
      message: { type: 'string', minLength: 1, description: 'What to say when one is not.' },
      sql: querySchema('A query to ask first; its rows are `rows`.'),
      command: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        description: 'A command to run first, as a list of words. It must only read.',
      },
    },
    not: { required: ['sql', 'command'] },
    'x-form': 'given sql or command, not both',
  },

  key: () => [],

  async observe(host, { sql, command }) {
    if (sql !== undefined)
      return { ...NOTHING_READ, rows: rowsAsJson(await host.sql<object>(sql.database, sql.query)) }
    if (command === undefined) return NOTHING_READ
    return { ...NOTHING_READ, ...(await host.exec(command)) }
  },

  refuse(state, { that, message }, evaluate) {
    const names = { ...state }
    const broken = that.find((expression) => evaluate(expression, names) !== true)
    if (broken === undefined) return undefined
    // Who wrote a message wrote it to be read in place of the expression.
    return message ?? `it does not hold that ${broken}`
  },

  diff: () => [],

  result: (state) => ({ ...state }),
})
