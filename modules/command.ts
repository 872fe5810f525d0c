import type { Change } from '../src/core/change.ts'
import type { ExecResult, Observer } from '../src/core/host.ts'
import { defineModule, type Evaluate, type Verdict } from '../src/core/module.ts'
import type { Text } from '../src/core/secret.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly argv: readonly string[]
  readonly creates?: string
  readonly removes?: string
  readonly unless?: readonly string[]
  readonly read_only: boolean
  readonly chdir?: string
  readonly stdin?: Text
  readonly user?: string
  readonly env?: Readonly<Record<string, string>>
  readonly changed_when?: string
  readonly failed_when?: string
  readonly timeout: string
}

type State =
  /** Nothing says whether it is needed, or it is. */
  | { readonly kind: 'needed' }
  | { readonly kind: 'done'; readonly why: string }
  /** A reading command, run while observing. */
  | ({ readonly kind: 'read' } & ExecResult)

export const command = defineModule<Args, State>({
  name: 'command',
  doc: {
    summary: 'A command without a shell, run when it is needed.',
    notes: [
      'It is needed until `creates` is there, until `removes` is gone, or while `unless` exits other than 0; these are looked at again after it ran. Without any of them it runs at every converge.',
      'With `read_only` it is a question: it runs in check mode too, and changes nothing. What it says can be registered.',
      '`changed_when` and `failed_when` are CEL over `result.code`, `result.stdout` and `result.stderr`. Pipes and redirections need a script of their own.',
    ].join('\n\n'),
    source:
      'https://docs.ansible.com/ansible/latest/collections/ansible/builtin/command_module.html',
    examples: [
      {
        title: 'Once',
        args: { argv: ['tar', '-xf', '/var/tmp/site.tar'], chdir: '/srv', creates: '/srv/site' },
      },
      {
        title: 'Unless it is done',
        args: {
          argv: ['modprobe', 'br_netfilter'],
          unless: ['test', '-d', '/proc/sys/net/bridge'],
        },
      },
      {
        title: 'A question, to be registered',
        args: { argv: ['uname', '-r'], read_only: true },
      },
      {
        title: 'Judged by its words',
        args: {
          argv: ['k3s', 'secrets-encrypt', 'prepare'],
          failed_when: "result.code != 0 && !result.stderr.contains('already')",
          changed_when: 'result.code == 0',
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['argv'],
    properties: {
      argv: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        description: 'The command and its arguments, as a list of words.',
      },
      creates: { ...PATH_FORM, description: 'Needed until this path is there.' },
      removes: { ...PATH_FORM, description: 'Needed until this path is gone.' },
      unless: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        description: 'Not needed when this command, which must only read, exits 0.',
      },
      read_only: {
        type: 'boolean',
        default: false,
        description: 'The command only reads: it runs in check mode too and is no change.',
      },
      chdir: { ...PATH_FORM, description: 'Directory to run it in.' },
      stdin: { type: 'string', 'x-takes-secret': true, description: 'Its standard input.' },
      user: {
        type: 'string',
        minLength: 1,
        description: 'System user to run it as. Default root.',
      },
      env: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'Environment variables.',
      },
      changed_when: {
        type: 'string',
        minLength: 1,
        'x-cel': true,
        'x-cel-names': ['result'],
        description: 'Whether the run counts as a change.',
      },
      failed_when: {
        type: 'string',
        minLength: 1,
        'x-cel': true,
        'x-cel-names': ['result'],
        description: 'Whether the run failed. Default: result.code != 0.',
      },
      timeout: durationSchema('Bound of the command.', '5m'),
    },
  },

  key: () => [],

  async observe(host, args) {
    if (args.read_only) return { kind: 'read', ...(await ask(host, args)) }
    const reasons = await Promise.all([
      created(host, args.creates),
      removed(host, args.removes),
      unneeded(host, args),
    ])
    const why = reasons.find((reason) => reason !== undefined)
    return why === undefined ? { kind: 'needed' } : { kind: 'done', why }
  },

  refuse(state, args, evaluate) {
    if (args.read_only && hasGuard(args))
      return "'read_only' goes without creates, removes and unless"
    if (state.kind !== 'read') return undefined
    return judge(state, args, evaluate).failed
  },

  diff(state, args): readonly Change[] {
    if (state.kind !== 'needed') return []
    const { stdin, env, user } = args
    return [
      {
        kind: 'exec',
        argv: argvOf(args),
        ...(stdin === undefined ? {} : { stdin }),
        ...(env === undefined ? {} : { env }),
        ...(user === undefined ? {} : { user }),
        ...(args.failed_when === undefined ? {} : { acceptCodes: 'any' }),
        timeoutMs: durationMs(args.timeout),
      },
    ]
  },

  settles: (args) => args.read_only || hasGuard(args),

  result(state) {
    if (state.kind !== 'read') return {}
    const { code, stdout, stderr } = state
    return { code, stdout, stderr }
  },

  verdict: judge,
})

function hasGuard({ creates, removes, unless }: Args): boolean {
  return creates !== undefined || removes !== undefined || unless !== undefined
}

function argvOf({ argv, chdir }: Args): readonly string[] {
  return chdir === undefined ? argv : ['env', `--chdir=${chdir}`, ...argv]
}

async function ask(host: Observer, args: Args): Promise<ExecResult> {
  const { stdin, env, user } = args
  return await host.exec(argvOf(args), {
    ...(stdin === undefined ? {} : { stdin }),
    ...(env === undefined ? {} : { env }),
    ...(user === undefined ? {} : { user }),
    timeoutMs: durationMs(args.timeout),
  })
}

async function created(host: Observer, path: string | undefined): Promise<string | undefined> {
  if (path === undefined || (await host.stat(path)) === undefined) return undefined
  return `${path} is there`
}

async function removed(host: Observer, path: string | undefined): Promise<string | undefined> {
  if (path === undefined || (await host.stat(path)) !== undefined) return undefined
  return `${path} is gone`
}

async function unneeded(host: Observer, { unless, user }: Args): Promise<string | undefined> {
  if (unless === undefined) return undefined
  const { code } = await host.exec(unless, user === undefined ? {} : { user })
  return code === 0 ? `${unless.join(' ')} exits 0` : undefined
}

function judge(outcome: ExecResult, args: Args, evaluate: Evaluate): Verdict {
  const { code, stdout, stderr } = outcome
  const names = { result: { code, stdout, stderr } }
  const failed =
    args.failed_when === undefined ? code !== 0 : evaluate(args.failed_when, names) === true
  const changed = args.changed_when === undefined || evaluate(args.changed_when, names) === true
  if (!failed) return { changed }
  const reason = args.failed_when ?? `it exited ${code}`
  const words = stderr.trim().split('\n').at(-1) ?? ''
  return { changed, failed: words === '' ? reason : `${reason}: ${words}` }
}
