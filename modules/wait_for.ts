import type { Change, Condition } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { PATH_FORM } from './parts/paths.ts'
import { querySchema } from './parts/query_schema.ts'

interface Args {
  readonly what?: string
  readonly tcp?: { readonly address: string; readonly port: number }
  readonly path?: string
  readonly gone?: string
  readonly command?: readonly string[]
  readonly unit?: string
  readonly sql?: { readonly database: string; readonly query: string }
  readonly timeout: string
  readonly interval: string
  readonly otherwise?: string
}

interface State {
  readonly met: boolean
}

/** A connection that takes longer is none. @unit milliseconds */
const CONNECT_TIMEOUT_MS = 2_000

export const waitFor = defineModule<Args, State>({
  name: 'wait_for',
  doc: {
    summary: 'Waits until something is true: a port, a file, a command, a unit, a query.',
    notes: [
      'It changes nothing; it counts as a change when there was something to wait for.',
      'With `otherwise` a wait in vain fails nothing: the run goes on, and people are told that text, and what a command said last on its stderr. The host is free for its agent meanwhile: make such a task the last of its play.',
      'What can not be asked yet (a server that is starting) is waited for like what is not true yet.',
    ].join('\n\n'),
    source:
      'https://docs.ansible.com/ansible/latest/collections/ansible/builtin/wait_for_module.html',
    examples: [
      {
        title: 'A port',
        args: { tcp: { address: '127.0.0.1', port: 2379 }, timeout: '1m' },
      },
      { title: 'A file', args: { path: '/run/k3s/containerd/containerd.sock' } },
      {
        title: 'A command that exits 0',
        args: { command: ['k3s', 'kubectl', 'get', '--raw', '/readyz'] },
      },
      {
        title: 'A query whose first column is true',
        args: {
          what: 'the copy to be whole',
          sql: {
            database: 'kine',
            query: "select bool_and(srsubstate = 'r') from pg_subscription_rel",
          },
          timeout: '10m',
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      what: { type: 'string', minLength: 1, description: 'What is waited for, in words.' },
      tcp: {
        type: 'object',
        additionalProperties: false,
        required: ['address', 'port'],
        description: 'A port that takes connections.',
        properties: {
          address: { type: 'string', minLength: 1, description: 'Address or name.' },
          port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'Port.' },
        },
      },
      path: { ...PATH_FORM, description: 'A file that is there.' },
      gone: { ...PATH_FORM, description: 'A file that is no longer there.' },
      command: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        description: 'A command, as a list of words, that exits 0. It must only read.',
      },
      unit: { type: 'string', minLength: 1, description: 'A systemd unit that is active.' },
      sql: querySchema('A query whose first column of the first row is true.'),
      timeout: durationSchema('How long it is waited for.', '1m'),
      interval: durationSchema('Time between two looks.', '500ms'),
      otherwise: {
        type: 'string',
        minLength: 1,
        description:
          'What people are told when it was waited for in vain. Default: the task fails.',
      },
    },
    oneOf: [
      { required: ['tcp'] },
      { required: ['path'] },
      { required: ['gone'] },
      { required: ['command'] },
      { required: ['unit'] },
      { required: ['sql'] },
    ],
  },

  key: () => [],

  async observe(host, args) {
    try {
      return { met: await holds(host, conditionOf(args)) }
    } catch (error) {
      if (error instanceof NotYet) return { met: false }
      throw error
    }
  },

  diff({ met }, args): readonly Change[] {
    if (met) return []
    const until = conditionOf(args)
    return [
      {
        kind: 'await',
        until,
        what: args.what ?? inWords(until),
        timeoutMs: durationMs(args.timeout),
        intervalMs: durationMs(args.interval),
        ...(args.otherwise === undefined ? {} : { otherwise: args.otherwise }),
      },
    ]
  },

  // What was given up would be waited for again.
  settles: ({ otherwise }) => otherwise === undefined,

  verdict: ({ stderr }) => ({ changed: true, note: stderr }),
})

function conditionOf({ tcp, path, gone, command, unit, sql }: Args): Condition {
  if (tcp !== undefined) return { kind: 'tcp', ...tcp }
  if (path !== undefined) return { kind: 'file', path, present: true }
  if (gone !== undefined) return { kind: 'file', path: gone, present: false }
  if (command !== undefined) return { kind: 'exec', argv: command }
  if (unit !== undefined) return { kind: 'exec', argv: ['systemctl', 'is-active', '--quiet', unit] }
  if (sql !== undefined) return { kind: 'sql', database: sql.database, text: sql.query }
  throw new Error('the schema lets no wait without a condition through')
}

async function holds(host: Observer, condition: Condition): Promise<boolean> {
  switch (condition.kind) {
    case 'tcp':
      return await host.reachable(condition.address, condition.port, CONNECT_TIMEOUT_MS)
    case 'file':
      return ((await host.stat(condition.path)) !== undefined) === condition.present
    case 'exec':
      return (await host.exec(condition.argv)).code === 0
    case 'sql': {
      const [row] = await host.sql<Record<string, unknown>>(condition.database, condition.text)
      return row !== undefined && Object.values(row)[0] === true
    }
    default:
      throw new Error(`unhandled condition: ${String(condition satisfies never)}`)
  }
}

function inWords(condition: Condition): string {
  switch (condition.kind) {
    case 'tcp':
      return `${condition.address}:${condition.port} to take connections`
    case 'file':
      return `${condition.path} to be ${condition.present ? 'there' : 'gone'}`
    case 'exec':
      return `${condition.argv.join(' ')} to succeed`
    case 'sql':
      return 'the query to say true'
    default:
      throw new Error(`unhandled condition: ${String(condition satisfies never)}`)
  }
}
